// Reads purchases from standard input, one line of JSON each: {name, shots, concertId, buyer,
// organizer}. Runs them one after another in one Chromium browser, each in a page of its own with the
// client's bundle, and prints a report or an error as a line of JSON for each.
import { createInterface } from 'node:readline';

import { Browser } from '../browser/chromium.mjs';

const [url, executable] = process.argv.slice(2);
const browser = await Browser.open(executable);
// A document of the server's own origin, because Chromium lets no page that a test makes up open a
// socket. The server allows it no scripts, so the context bypasses that policy.
const DOCUMENT = `${url}/realms/test/.well-known/openid-configuration`;

async function runPurchase({ name, shots, ...cast }) {
  browser.begin(shots);
  const context = await browser.openPerson({ bypassCSP: true });
  await context.route('**/favicon.ico', (route) => route.fulfill({ status: 204 }));
  try {
    const page = await context.newPage();
    await page.goto(DOCUMENT);
    await page.addScriptTag({ path: `build/pages/${name}-page.js` });
    const seen = await page.evaluate((given) => window.buy(given), cast);
    return { seen, ...browser.report() };
  } catch (error) {
    return { error: `${error.stack}\n${JSON.stringify(browser.report())}` };
  } finally {
    await browser.closePages();
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await runPurchase(JSON.parse(line))));
}
await browser.close();
