// Opens Chromium and writes down what a page must not do: ask another host, log an error, throw.
import { chromium } from 'playwright-core';

const ARGUMENTS = [
  '--no-sandbox', // a test often runs as root
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const PATIENCE_MS = 60_000;

export class Browser {
  static async open(executable, shots) {
    const browser = new Browser();
    browser.shots = shots;
    browser.chromium = await chromium.launch({ executablePath: executable, headless: true, args: ARGUMENTS });
    browser.foreign = [];
    browser.errors = [];
    browser.addresses = [];
    return browser;
  }

  // A person of their own: nothing is shared with another one's pages.
  async person(options = {}) {
    const context = await this.chromium.newContext({ viewport: { width: 1400, height: 860 }, ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    context.on('request', (request) => this.#note(request.url()));
    context.on('page', (page) => {
      page.on('websocket', (socket) => this.#note(socket.url()));
      page.on('pageerror', (error) => this.errors.push(String(error)));
      page.on('console', (message) => {
        if (message.type() === 'error') this.errors.push(message.text().slice(0, 300));
      });
      page.on('framenavigated', (frame) => this.addresses.push(frame.url()));
    });
    return context;
  }

  async shot(page, name) {
    await page.screenshot({ path: `${this.shots}/${name}.png` });
  }

  async shotOfEverything(name) {
    const pages = this.chromium.contexts().flatMap((context) => context.pages());
    await Promise.all(pages.map((page, number) => this.shot(page, `${name}-${number + 1}`)));
  }

  // An error that the story provoked itself.
  forgive(words) {
    this.errors = this.errors.filter((error) => !error.includes(words));
  }

  async close() {
    await this.chromium.close();
  }

  verdict() {
    return { foreign: this.foreign, errors: this.errors, addresses: this.addresses };
  }

  #note(address) {
    const { protocol, hostname } = new URL(address);
    const isOurs = ['localhost', '127.0.0.1'].includes(hostname) || ['data:', 'blob:', 'about:'].includes(protocol);
    if (!isOurs) this.foreign.push(address);
  }
}
