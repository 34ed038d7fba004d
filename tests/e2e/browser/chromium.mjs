// Opens Chromium and records what pages must not do: request another host, log an error or a warning,
// throw, or break their content security policy.
import { chromium } from 'playwright-core';

const ARGUMENTS = [
  '--no-sandbox', // tests often run as root
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const TIMEOUT_MS = 60_000;

export class Browser {
  static async open(executable, options = []) {
    const browser = new Browser();
    const args = [...ARGUMENTS, ...options];
    browser.chromium = await chromium.launch({ executablePath: executable, headless: true, args });
    return browser;
  }

  // Starts recording a story. `shots` is the directory for its screenshots.
  begin(shots) {
    this.shots = shots;
    this.foreignRequests = [];
    this.errors = [];
    this.warnings = [];
    this.addresses = [];
    this.violations = [];
  }

  // Creates a browser context for one person; it shares no storage with other people's pages.
  async openPerson(options = {}) {
    const context = await this.chromium.newContext({ viewport: { width: 1400, height: 860 }, ...options });
    context.setDefaultTimeout(TIMEOUT_MS);
    await context.exposeBinding('onsaleReportViolation', (_, violation) => this.violations.push(violation));
    await context.addInitScript(() =>
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
        window.onsaleReportViolation(`${violatedDirective} ${blockedURI}`),
      ),
    );
    context.on('request', (request) => this.#recordRequest(request.url()));
    context.on('page', (page) => {
      page.on('websocket', (socket) => this.#recordRequest(socket.url()));
      page.on('pageerror', (error) => this.errors.push(String(error)));
      page.on('console', (message) => {
        if (message.type() === 'error') this.errors.push(message.text().slice(0, 300));
        if (message.type() === 'warning') this.warnings.push(message.text().slice(0, 300));
      });
      page.on('framenavigated', (frame) => this.addresses.push(frame.url()));
    });
    return context;
  }

  async screenshot(page, name) {
    await page.screenshot({ path: `${this.shots}/${name}.png` });
  }

  async screenshotEverything(name) {
    const pages = this.chromium.contexts().flatMap((context) => context.pages());
    await Promise.all(pages.map((page, number) => this.screenshot(page, `${name}-${number + 1}`)));
  }

  // Drops the errors with this text, which the story caused on purpose.
  dropErrors(text) {
    this.errors = this.errors.filter((error) => !error.includes(text));
  }

  // Drops the requests to a host that Chromium was told to find on this machine.
  dropRequests(origin) {
    this.foreignRequests = this.foreignRequests.filter((address) => new URL(address).origin !== origin);
  }

  // Returns and drops the violations of policies, which the story caused on purpose.
  takeViolations() {
    return this.violations.splice(0);
  }

  async closePages() {
    await Promise.all(this.chromium.contexts().map((context) => context.close()));
  }

  async close() {
    await this.chromium.close();
  }

  report() {
    const { foreignRequests, errors, warnings, addresses, violations } = this;
    return { foreignRequests, errors, warnings, addresses, violations };
  }

  #recordRequest(address) {
    const { protocol, hostname } = new URL(address);
    const isOurs = ['localhost', '127.0.0.1'].includes(hostname) || ['data:', 'blob:', 'about:'].includes(protocol);
    if (!isOurs) this.foreignRequests.push(address);
  }
}
