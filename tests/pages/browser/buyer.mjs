// A person who uses the shop. All controls and texts are found by their role and their name.
import { recordAnnouncements } from '../../e2e/browser/audits.mjs';
import { mouse } from './hands.mjs';

export const DESKTOP = { viewport: { width: 1280, height: 800 } };
export const PHONE = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true };
// Payments and refunds are the work of several processes, which share a busy machine.
export const PAYMENT_MS = 120_000;
export const DOWNLOAD = /^Download all as PDF/;
const TITLE_POLL_MS = 50;
const TITLE_ATTEMPTS = 2_400;

export class Buyer {
  // Opens a browser of one person, who is signed in if `name` is given.
  static async open(browser, url, { name, hands = mouse, ...options } = {}) {
    const buyer = new Buyer();
    buyer.context = await browser.openPerson({ ...DESKTOP, locale: 'en-GB', ...options });
    await recordAnnouncements(buyer.context);
    Object.assign(buyer, { browser, url, name, hands, tab: await buyer.context.newPage() });
    if (name) {
      await buyer.tab.goto(`${url}/login?return=/`);
      await buyer.fillInLogin(name);
      await buyer.signedIn();
    }
    return buyer;
  }

  // The same person in another tab or window of the same browser. `prepare` gets the tab before its page.
  async openTab(path, prepare = () => undefined) {
    const other = Object.assign(new Buyer(), this, { tab: await this.context.newPage() });
    await prepare(other.tab);
    await other.goto(path);
    return other;
  }

  get main() {
    return this.tab.getByRole('main');
  }

  button(name) {
    return this.tab.getByRole('button', { name });
  }

  link(name) {
    return this.tab.getByRole('link', { name });
  }

  field(name) {
    return this.tab.getByRole('textbox', { name });
  }

  // Opens a path of the shop, or an address elsewhere.
  async goto(path) {
    await this.tab.goto(new URL(path, this.url).href);
  }

  headings(name) {
    return this.tab.getByRole('heading', { level: 1, name });
  }

  async heading(name) {
    await this.headings(name).waitFor();
  }

  async sees(text, { timeout } = {}) {
    await this.tab.getByText(text).filter({ visible: true }).first().waitFor({ timeout });
  }

  async press(name) {
    await this.hands.press(this.tab.getByRole('button', { name }).or(this.link(name)).first());
  }

  async fillInLogin(name) {
    const field = (label) => this.tab.getByLabel(label, { exact: true });
    await this.hands.fill(field('Name'), name);
    await this.hands.fill(field('Password'), name);
    await this.hands.press(this.button('Sign in'));
  }

  async signedIn() {
    await this.button('Sign out').waitFor();
  }

  // Finds a concert in the catalog as people do, by a search, and opens its page.
  async findConcert(concert) {
    await this.hands.fill(this.tab.getByRole('searchbox'), concert.name);
    await this.hands.press(this.main.getByRole('link', { name: concert.name }));
    await this.heading(concert.name);
  }

  async joinQueue() {
    await this.press('Join the queue');
  }

  // The position in the title of the document, which a person sees in another tab. NaN if it has none.
  async position() {
    return Number(/^([\d,]+) in the queue/.exec(await this.tab.title())?.[1].replaceAll(',', ''));
  }

  // Waits until the title of the document begins with a text. It asks from outside, because no timer
  // of a hidden page fires.
  async untilTitle(start) {
    for (let attempt = 0; !(await this.tab.title()).startsWith(start); attempt += 1) {
      if (attempt > TITLE_ATTEMPTS) throw new Error(`the title is ${await this.tab.title()}, not ${start}`);
      await new Promise((resolve) => setTimeout(resolve, TITLE_POLL_MS));
    }
  }

  // Waits until the title and the page show the position.
  async untilPosition(position) {
    await this.untilTitle(`${position} in the queue`);
    await this.main.getByText(String(position), { exact: true }).filter({ visible: true }).first().waitFor();
  }

  async untilCalled() {
    await this.heading('It is your turn!');
  }

  async enterShop() {
    await this.press('Choose tickets');
    await this.heading('Choose your tickets');
  }

  // Chooses a number of tickets of a tier by pressing its button that often.
  async choose(tier, quantity) {
    for (let count = 0; count < quantity; count += 1) await this.hands.press(this.button(`One more: ${tier}`));
  }

  async holdTickets() {
    await this.press('Hold these tickets');
    await this.heading('Your tickets are held');
  }

  async orderAs(name, email) {
    await this.hands.fill(this.field('Name'), name);
    await this.hands.fill(this.field('Email'), email);
    await this.press('Continue to payment');
    await this.heading('Pay for your tickets');
  }

  // Pays with the first test card whose name begins with `card`.
  async payWith(card = 'Succeeds') {
    await this.hands.choose(this.tab.getByRole('radio', { name: new RegExp(`^${card}\\b`) }).first());
    await this.hands.press(this.button(/^Pay /));
  }

  // Waits until the order is paid and its document is ready.
  async untilFulfilled() {
    const ready = this.tab.getByText('Paid: your tickets are ready').first();
    await ready.waitFor({ timeout: PAYMENT_MS });
  }

  // Downloads the PDF of the order by `press`, and returns how it begins.
  async downloadPdf(press = () => this.hands.press(this.button(DOWNLOAD))) {
    const [download] = await Promise.all([this.tab.waitForEvent('download'), press()]);
    const chunks = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk);
    return Buffer.concat(chunks).subarray(0, 5).toString();
  }

  async screenshot(name) {
    await this.browser.screenshot(this.tab, name);
  }

  // Whether the page is wider than the screen.
  async isTooWide() {
    return this.tab.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  }
}
