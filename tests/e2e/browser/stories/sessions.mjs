// People sign in and out, as one or two persons, and lose their session.
import { openAsBob } from '../bob.mjs';
import { Page } from '../page.mjs';
import { countSubscribes, recordSockets, runningFields, untilOnlyTheseRun } from '../sockets.mjs';

export const sessions = {
  // A signed-in person has one subscription of each kind; signing out ends queuePosition.
  async signingOutAndIn(browser, url) {
    const { page, joinElsewhere, leaveElsewhere } = await openAsBob(browser, url);
    await joinElsewhere();
    await page.tab.reload();
    const subscribes = [];
    for (let time = 0; time < 3; time += 1) {
      await untilOnlyTheseRun(page, 'queuePosition', 'stockChanged');
      await page.signOut();
      await untilOnlyTheseRun(page, 'stockChanged');
      await page.signInAs('bob');
      await page.untilLiveLineShows('it is your turn');
      await page.passHalfAMinute();
      subscribes.push(await countSubscribes(page, 'queuePosition'));
    }
    const seen = { subscribes, signedIn: await runningFields(page) };
    await leaveElsewhere();
    await untilOnlyTheseRun(page, 'stockChanged');
    await page.signOut();
    await untilOnlyTheseRun(page, 'stockChanged');
    await page.passHalfAMinute();
    seen.atTheEnd = await countSubscribes(page, 'queuePosition');
    seen.signedOut = await runningFields(page);
    return seen;
  },

  async loggingInAtTheIssuer(browser, url) {
    const page = await Page.open(await browser.openPerson({ colorScheme: 'dark' }), url);
    const seen = { signedIn: await page.signInAtTheIssuer('carol') };
    seen.me = (await page.run('Me')).data.me.name;
    seen.secrets = await page.secretsInReach();
    await browser.screenshot(page.tab, 'signed-in-in-dark-mode');
    await page.tab.reload();
    seen.afterReload = await page.signedIn();
    await page.tab.getByRole('button', { name: 'Sign out' }).click();
    await page.tab.getByText('You are signed out').or(page.tab.getByRole('button', { name: 'alice' })).waitFor();
    await browser.screenshot(page.tab, 'signed-out');
    await page.tab.goto(`${url}/graphql`);
    await page.tab.getByRole('button', { name: 'alice' }).waitFor();
    seen.afterSignOut = (await page.run('Me')).data.me;
    return seen;
  },

  // The bar of the shop signs demo users in with one click, and leads to GraphiQL.
  async usingTheDeveloperBar(browser, url) {
    const tab = await (await browser.openPerson()).newPage();
    await tab.goto(url);
    const bar = tab.getByRole('complementary', { name: 'For developers' });
    const alice = bar.getByRole('button', { name: 'alice' });
    await alice.click();
    await tab.getByRole('banner').getByText('alice').waitFor();
    const seen = { isPressed: await alice.getAttribute('aria-pressed') };
    await bar.getByRole('button', { name: 'bob' }).click();
    await tab.getByRole('banner').getByText('bob').waitFor();
    await bar.getByRole('button', { name: 'bob' }).click();
    await tab.getByRole('banner').getByRole('button', { name: 'Sign in' }).waitFor();
    seen.links = await bar.getByRole('link').allTextContents();
    await bar.getByText('For developers').click();
    await tab.reload();
    await bar.getByText('For developers').waitFor();
    seen.isOpenAfterReload = await alice.isVisible();
    await bar.getByText('For developers').click();
    await bar.getByRole('link', { name: 'GraphiQL' }).click();
    await tab.locator('.graphiql-query-editor').first().waitFor();
    return seen;
  },

  // One browser, two tabs: the session of the browser, and a demo user of one tab.
  async beingTwoPeople(browser, url) {
    const person = await browser.openPerson();
    await recordSockets(person);
    const [buyers, bobs] = [await Page.open(person, url), await Page.open(person, url)];
    await buyers.signInAtTheIssuer('buyer1');
    await bobs.signInAs('bob');
    const seen = { names: [] };
    for (const page of [buyers, bobs]) {
      await page.tab.reload();
      await page.untilLoaded();
      seen.names.push(await page.signedIn(), (await page.run('Me')).data.me.name);
    }
    await untilOnlyTheseRun(buyers, 'queuePosition', 'stockChanged');
    await bobs.tab.getByRole('button', { name: 'Sign out' }).click();
    await bobs.tab.locator('#signed-in', { hasText: 'buyer1' }).waitFor();
    seen.onceSignedOut = (await bobs.run('Me')).data.me.name;
    return seen;
  },

  // The server no longer knows the session: the page goes to the login once, and returns.
  async losingTheSession(browser, url) {
    const person = await browser.openPerson();
    await recordSockets(person);
    const page = await Page.open(person, url);
    await page.signInAtTheIssuer('carol');
    let logins = 0;
    person.on('request', (request) => {
      if (new URL(request.url()).pathname === '/login') logins += 1;
    });
    await person.addCookies([{ name: 'onsale-session', value: 'unknown', url, httpOnly: true, sameSite: 'Lax' }]);
    await page.openTab('Me');
    await page.start();
    await page.fillInLogin('carol');
    const seen = { signedIn: await page.signedIn(), address: new URL(page.tab.url()).pathname };
    await page.untilLoaded();
    seen.me = (await page.run('Me')).data.me.name;
    // The socket of a page is told too.
    await person.addCookies([{ name: 'onsale-session', value: 'unknown', url, httpOnly: true, sameSite: 'Lax' }]);
    await page.tab.evaluate(() => window.closeSockets());
    await page.tab.getByLabel('Password').waitFor();
    browser.dropErrors('401 (Unauthorized)');
    return { ...seen, logins };
  },

  async usingANarrowWindow(browser, url) {
    const page = await Page.open(await browser.openPerson({ viewport: { width: 760, height: 900 } }), url);
    await page.signInAs('olivia');
    await browser.screenshot(page.tab, 'narrow');
    return { signedIn: await page.signedIn() };
  },
};
