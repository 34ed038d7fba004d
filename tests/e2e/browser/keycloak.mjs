// Signs in on Keycloak's own page in Chromium and out again, and prints as JSON what a person sees.
// node keycloak.mjs <url of Onsale> <Chromium> <name> <folder for screenshots>
import { Browser } from './chromium.mjs';
import { Page } from './page.mjs';

const [url, executable, name, shots] = process.argv.slice(2);
const browser = await Browser.open(executable);
browser.begin(shots);
try {
  const context = await browser.openPerson();
  const page = await Page.open(context, url);
  const signIn = page.tab.getByRole('link', { name: 'Sign in' });
  await signIn.click();
  const form = page.tab.locator('#kc-form-login');
  await form.locator('#password').waitFor();
  const title = await page.tab.title();
  await browser.screenshot(page.tab, 'keycloak-form');

  await form.locator('#username').fill(name);
  await form.locator('#password').fill('wrong');
  await page.tab.locator('#kc-login').click();
  const refused = (await page.tab.getByText('Invalid username or password').first().textContent()).trim();

  await form.locator('#username').fill(name);
  await form.locator('#password').fill(name);
  await page.tab.locator('#kc-login').click();
  const signedIn = await page.signedIn();
  await page.untilLoaded();
  const me = (await page.run('Me')).data.me.name;
  await browser.screenshot(page.tab, 'signed-in-by-keycloak');

  await page.tab.getByRole('button', { name: 'Sign out' }).click();
  await signIn.waitFor();
  // Keycloak's session has ended too, so the next login asks for the password again.
  await signIn.click();
  await form.locator('#password').waitFor();
  console.log(JSON.stringify({ title, refused, signedIn, me, ...browser.report() }));
} finally {
  await browser.close();
}
