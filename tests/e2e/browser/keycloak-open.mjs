// Keeps a page open that was signed in on Keycloak's page, and prints what happened meanwhile as JSON.
// node keycloak-open.mjs <url of Onsale> <Chromium> <name> <folder for screenshots> <seconds>
import { Browser } from './chromium.mjs';
import { Page } from './page.mjs';

const [url, executable, name, shots, seconds] = process.argv.slice(2);
const EVERY_MS = 5_000;
const browser = await Browser.open(executable);
browser.begin(shots);
try {
  const context = await browser.openPerson();
  const asked = { tokens: 0, logins: 0 };
  let sockets = 0;
  let closed = 0;
  context.on('request', (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.endsWith('/protocol/openid-connect/token')) asked.tokens += 1;
    if (pathname === '/login') asked.logins += 1;
  });
  context.on('page', (tab) =>
    tab.on('websocket', (socket) => {
      sockets += 1;
      socket.on('close', () => (closed += 1));
    }),
  );
  const page = await Page.open(context, url);
  await page.tab.getByRole('link', { name: 'Sign in' }).click();
  const form = page.tab.locator('#kc-form-login');
  await form.locator('#username').fill(name);
  await form.locator('#password').fill(name);
  await page.tab.locator('#kc-login').click();
  const signedIn = await page.signedIn();
  await page.untilLoaded();
  const [socketsBefore, closedBefore] = [sockets, closed];
  const until = Date.now() + Number(seconds) * 1_000;
  let answers = 0;
  while (Date.now() < until) {
    const me = (await page.run('Me')).data.me.name;
    if (me !== name) throw new Error(`the page is signed in as ${me} after ${answers} answers`);
    answers += 1;
    await page.tab.waitForTimeout(EVERY_MS);
  }
  await browser.screenshot(page.tab, `open-for-${seconds}-s`);
  console.log(
    JSON.stringify({
      signedIn,
      answers,
      asked,
      openedSockets: sockets - socketsBefore,
      closedSockets: closed - closedBefore,
      stillSignedIn: await page.signedIn(),
      ...browser.report(),
    }),
  );
} finally {
  await browser.close();
}
