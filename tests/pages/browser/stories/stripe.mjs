// Buyers pay with Stripe Elements. Chromium finds js.stripe.com on this machine, where a stub of
// Stripe.js answers, and the payment sandbox stands in for Stripe's API.
import { findViolations } from '../../../e2e/browser/audits.mjs';
import { Api } from '../api.mjs';
import { Buyer } from '../buyer.mjs';

const STRIPE = 'https://js.stripe.com';
const SAFE = 'Your card data goes to Stripe directly and never reaches this shop.';
const CHECKOUT = /^\/orders\/[^/]+\/pay$/;

async function openBuyer(browser, url, name, given = {}) {
  const api = new Api(url);
  const concert = await api.openConcert(`Tickets for ${name}`);
  const buyer = await Buyer.open(browser, url, { name, ignoreHTTPSErrors: true });
  const admitted = recordAdmitted(buyer.context);
  const attempts = await confirmAtSandbox(buyer.context, given);
  return { api, concert, buyer, admitted, attempts };
}

// Records for each document whether its policy names Stripe.
function recordAdmitted(context) {
  const admitted = new Map();
  context.on('response', async (response) => {
    const { pathname, origin } = new URL(response.url());
    if (origin === STRIPE || response.request().resourceType() !== 'document') return;
    const policy = (await response.allHeaders())['content-security-policy'];
    admitted.set(pathname, policy?.includes('stripe'));
  });
  return admitted;
}

// Lets the stub confirm a payment at the sandbox, with the first of the cards that are left. Returns
// the answers.
async function confirmAtSandbox(context, { sandbox, cards = [] }) {
  const answers = [];
  await context.exposeFunction('confirmAtSandbox', async (secret) => {
    const intent = secret.split('_secret_')[0];
    const body = new URLSearchParams({ client_secret: secret, payment_method: cards.shift() });
    const headers = { Authorization: 'Bearer pk_test_sandbox' };
    const answer = await fetch(`${sandbox}/v1/payment_intents/${intent}/confirm`, { method: 'POST', headers, body });
    const { error, status } = await answer.json();
    answers.push(error?.decline_code ?? error?.code ?? status);
    return error ? { error } : { paymentIntent: { status } };
  });
  return answers;
}

async function orderTicket(buyer, concert, name) {
  await buyer.goto(`${concert.path}/tickets`);
  await buyer.choose('Standing', 1);
  await buyer.holdTickets();
  await buyer.orderAs(`${name} Demo`, `${name}@onsale.example`);
}

// Tries to load Stripe's script into a page, as a foreign script in it would.
async function tryToLoadScript({ tab, browser }) {
  const outcome = await tab.evaluate((address) => {
    const script = document.createElement('script');
    script.src = address;
    return new Promise((resolve) => {
      script.onload = () => resolve('loaded');
      script.onerror = () => resolve('blocked');
      document.head.append(script);
    });
  }, `${STRIPE}/v3/`);
  browser.dropErrors(STRIPE);
  return [outcome, ...browser.takeViolations()];
}

async function paymentOf(api, name) {
  const query = '{ me { orders(first: 1) { nodes { id payment { clientSecret publishableKey } } } } }';
  const [{ id, payment }] = (await api.ask(name, query)).me.orders.nodes;
  return { id, ...payment };
}

export const stripe = {
  async payingWithStripe(browser, url, { sandbox }) {
    const name = 'buyer851';
    const cards = ['pm_card_chargeDeclinedExpiredCard', 'pm_card_visa'];
    const { api, concert, buyer, admitted, attempts } = await openBuyer(browser, url, name, { sandbox, cards });
    await orderTicket(buyer, concert, name);
    await buyer.sees(SAFE);
    const { id, clientSecret, publishableKey } = await paymentOf(api, name);
    const violations = await findViolations(buyer.tab);
    await buyer.screenshot('card-form');

    await buyer.button(/^Pay /).click();
    await buyer.sees('The payment was declined');
    await buyer.sees('The card has expired.');
    await buyer.screenshot('declined');
    await buyer.button(/^Pay /).dblclick();
    await buyer.untilFulfilled();
    const calls = await buyer.tab.evaluate(() => window.stripeCalls);
    const path = new URL(buyer.tab.url()).pathname;

    const others = ['/', concert.path, `${concert.path}/queue`, `${concert.path}/tickets`, `/orders/${id}`, '/tickets'];
    for (const other of others) await buyer.goto(other);
    const onAnotherPage = await tryToLoadScript(buyer);
    browser.dropRequests(STRIPE);
    const named = { [clientSecret]: 'the secret', [publishableKey]: 'the key', [`/orders/${id}/pay`]: 'the checkout' };
    const values = (value) => (typeof value === 'object' && value ? Object.values(value) : [value]);
    return {
      calls: calls
        .filter(([call]) => call !== 'update' && call !== 'destroy')
        .map(([call, value]) => [call, ...values(value).map((one) => named[one] ?? one)]),
      attempts,
      isOrderPage: path === `/orders/${id}`,
      admitting: [...admitted].filter(([, isAdmitted]) => isAdmitted).map(([page]) => named[page] ?? page),
      otherPages: others.map((page) => admitted.get(page)),
      onAnotherPage,
      violations,
    };
  },

  async missingTheCardForm(browser, url, { sandbox }) {
    const name = 'buyer852';
    const { api, concert, buyer, attempts } = await openBuyer(browser, url, name, { sandbox });
    await buyer.context.route(`${STRIPE}/**`, (route) => route.abort('blockedbyclient'));
    await orderTicket(buyer, concert, name);
    await buyer.sees('The card form could not be loaded');
    const violations = await findViolations(buyer.tab);
    const canPay = await buyer.button(/^Pay /).isEnabled();
    await buyer.screenshot('no-card-form');
    await buyer.context.unroute(`${STRIPE}/**`);
    await buyer.press('Load it again');
    await buyer.sees(SAFE);
    const canPayThen = await buyer.button(/^Pay /).isEnabled();
    browser.dropErrors('net::ERR_BLOCKED_BY_CLIENT');
    browser.dropRequests(STRIPE);
    return { canPay, canPayThen, attempts, status: (await api.orderOf(name)).status, violations };
  },

  // The same build, on a server whose payments the sandbox takes.
  async payingWithoutStripe(browser, url) {
    const name = 'buyer853';
    const { concert, buyer, admitted } = await openBuyer(browser, url, name);
    await orderTicket(buyer, concert, name);
    const onCheckout = await tryToLoadScript(buyer);
    await buyer.payWith('Succeeds');
    await buyer.untilFulfilled();
    browser.dropRequests(STRIPE);
    return {
      onCheckout,
      checkouts: [...admitted.keys()].filter((page) => CHECKOUT.test(page)).length,
      admitting: [...admitted].filter(([, isAdmitted]) => isAdmitted),
    };
  },
};
