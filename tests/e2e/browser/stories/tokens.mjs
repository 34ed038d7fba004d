// Tokens are renewed before they expire.
import { FIND_CONCERT } from '../bob.mjs';
import { Page } from '../page.mjs';
import { countSubscribes, recordSockets, untilOnlyTheseRun } from '../sockets.mjs';

export const tokens = {
  // Tokens are renewed a minute before they expire, until the issuer says that the session is over.
  async renewingTokens(browser, url) {
    const person = await browser.openPerson();
    await person.clock.install();
    const grants = [];
    await person.route('**/protocol/openid-connect/token', async (route) => {
      const grant = new URLSearchParams(route.request().postData()).get('grant_type');
      grants.push(grant);
      if (grants.length > 2) return route.fulfill({ status: 400, json: { error: 'invalid_grant' } });
      const response = await route.fetch();
      return route.fulfill({ response, json: { ...(await response.json()), expires_in: 600 } });
    });
    const page = await Page.open(person, url);
    const signedIn = await page.signInAs('alice');
    const renewed = page.tab.waitForResponse('**/protocol/openid-connect/token');
    await page.tab.clock.fastForward(540_000);
    await (await renewed).finished();
    const me = (await page.run('Me')).data.me.name;
    await page.tab.clock.fastForward(540_000);
    await page.tab.getByRole('button', { name: 'alice' }).waitFor();
    browser.dropErrors('400 (Bad Request)');
    return { signedIn, me, grants };
  },

  // The issuer's tokens last a minute, and its login session two: it shortens the last tokens to the
  // time that is left. The page renews them at a third of their lifetime, at most every ten seconds,
  // and ends its own subscriptions when the session is over.
  async renewingShortTokens(browser, url) {
    const person = await browser.openPerson();
    await recordSockets(person);
    await person.clock.install();
    const askedAtS = [];
    let elapsedS = 0;
    let newest = '';
    await person.route('**/protocol/openid-connect/token', async (route) => {
      askedAtS.push(elapsedS);
      const leftS = Math.round(120 - elapsedS);
      if (leftS <= 0) return route.fulfill({ status: 400, json: { error: 'invalid_grant' } });
      const response = await route.fetch();
      const answer = { ...(await response.json()), expires_in: Math.min(60, leftS) };
      newest = answer.access_token;
      return route.fulfill({ response, json: answer });
    });
    const page = await Page.open(person, url);
    await page.signInAs('bob');
    await page.run('JoinQueue');
    await page.untilLiveLineShows('it is your turn');
    await untilOnlyTheseRun(page, 'queuePosition', 'stockChanged');
    const stored = (name) => page.tab.evaluate((key) => JSON.parse(sessionStorage['onsale.session'] ?? '{}')[key], name);
    elapsedS = 30;
    await page.tab.clock.pauseAt((await stored('expiresAt')) - 30_000);
    while (elapsedS < 140 && (await stored('accessToken'))) {
      const before = askedAtS.length;
      elapsedS += 0.5;
      await page.tab.clock.runFor(500);
      // A request that the page has just sent arrives before this one.
      await page.tab.evaluate(() => fetch('/livez').then((answer) => answer.text()));
      if (askedAtS.length > before && elapsedS < 120) {
        await page.tab.waitForFunction((token) => sessionStorage['onsale.session'].includes(token), newest);
      }
    }
    await page.tab.clock.resume();
    await page.tab.getByRole('button', { name: 'alice' }).waitFor();
    await untilOnlyTheseRun(page, 'stockChanged');
    const before = await countSubscribes(page, 'queuePosition');
    await page.passHalfAMinute();
    browser.dropErrors('400 (Bad Request)');
    const { id } = (await page.runElsewhere(FIND_CONCERT, newest)).concert;
    await page.runElsewhere(`mutation { leaveQueue(input: { concertId: "${id}" }) { __typename } }`, newest);
    const pausesS = askedAtS.slice(1).map((atS, index) => atS - askedAtS[index]);
    return {
      requests: askedAtS.length,
      shortestPauseS: Math.floor(Math.min(...pausesS)),
      subscribedAgain: (await countSubscribes(page, 'queuePosition')) - before,
    };
  },
};
