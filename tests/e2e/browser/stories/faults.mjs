// The server refuses, stops, or is replaced by a proxy.
import { Page } from '../page.mjs';

export const faults = {
  // The server refuses each subscription to the stock; the page retries at increasing intervals.
  async retryingARefusedSubscription(browser, url) {
    const person = await browser.openPerson();
    await person.clock.install();
    let attempts = 0;
    let reportAttempt = () => undefined;
    await person.routeWebSocket('**/graphql', (socket) => {
      socket.onMessage((text) => {
        const { id, type } = JSON.parse(text);
        if (type === 'connection_init') socket.send(JSON.stringify({ type: 'connection_ack' }));
        if (type !== 'subscribe') return;
        attempts += 1;
        socket.send(JSON.stringify({ id, type: 'error', payload: [{ message: 'The store is unavailable.' }] }));
        reportAttempt();
      });
    });
    const page = await Page.open(person, url);
    for (let jump = 0; jump < 6; jump += 1) {
      const attempt = new Promise((resolve) => {
        reportAttempt = resolve;
      });
      await page.tab.clock.fastForward(30_000);
      await attempt;
    }
    const before = attempts;
    await page.run('Catalog');
    await page.tab.clock.fastForward(10_000);
    await page.run('Catalog');
    return { withinTenSeconds: attempts - before };
  },

  // The server stops, then a proxy answers instead; the page explains both without a stack trace.
  async losingTheServer(browser, url) {
    const person = await browser.openPerson();
    const page = await Page.open(person, url);
    await page.openTab('BuyTickets');
    await page.start();
    await page.untilResultShows('There is no name of yours: sign in above first');
    await person.route('**/graphql', (route) => route.abort('connectionrefused'));
    await person.route('**/openid-configuration', (route) => route.abort('connectionrefused'));
    await page.openTab('Catalog');
    await page.start();
    await page.untilResultShows('The server cannot be reached. Check that it runs');
    const shown = [await page.result()];
    await browser.screenshot(page.tab, 'losing-the-server');
    await page.tab.getByRole('button', { name: 'alice', exact: true }).click();
    await page.tab.getByRole('alert').getByText('The issuer cannot be reached').waitFor();
    await person.route('**/graphql', (route) => route.fulfill({ status: 502, body: '<h1>Bad Gateway</h1>' }));
    await page.start();
    await page.untilResultShows('answered with status 502');
    shown.push(await page.result());
    browser.dropErrors('net::ERR_CONNECTION_REFUSED');
    browser.dropErrors('502 (Bad Gateway)');
    return { stacks: shown.filter((text) => text.includes('stack')).length };
  },
};
