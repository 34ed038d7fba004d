// The server, a store, the network or the session goes away in the middle, and comes back.
import { Api } from '../api.mjs';
import { Buyer, DOWNLOAD } from '../buyer.mjs';
import { openQueue } from './queue.mjs';

// What Chromium itself logs when a request or a socket fails.
const LOGGED_BY_CHROMIUM = ['Failed to load resource', 'WebSocket connection to', 'net::ERR_'];
// What the pages say when a request has failed.
const FAILED = /We cannot reach the shop|We could not reach the payment provider|You are offline. Your tickets/;
const LOST = 'The connection was lost';
const PAID = 'Paid: your tickets are ready';
const [HOLD, CONTINUE, PAY] = ['Hold these tickets', /^Continue to payment/, /^Pay /];
const RECONNECTED_MS = 120_000;
const MOST_TRIES = 20;
const CLICK_MS = 5_000;

const rest = async () => undefined;

export function dropConnectionErrors(browser) {
  for (const text of LOGGED_BY_CHROMIUM) browser.dropErrors(text);
}

// Goes from the queue to the tickets. `fail` makes something unavailable at each stage, and the buyer
// goes on meanwhile.
async function buyDuringOutages(browser, url, { name, title, fail }) {
  const { api, concert, leave } = await openQueue(url, title, 1);
  const buyer = await Buyer.open(browser, url, { name });
  buyer.tab.setDefaultTimeout(RECONNECTED_MS);
  await buyer.goto(`${concert.path}/queue`);
  await buyer.untilPosition(2);
  await fail('queue', buyer);
  await leave(2);
  await buyer.untilPosition(1);
  await leave(1);
  await buyer.untilCalled();
  await buyer.enterShop();
  await buyer.choose('Standing', 2);
  await fail('choice', buyer, () => buyer.press(HOLD));
  await pressUntil(enabled(buyer, HOLD), buyer.headings('Your tickets are held'));
  await buyer.field('Name').fill('Ann Example');
  await buyer.field('Email').fill(`${name}@onsale.example`);
  await fail('hold', buyer, () => buyer.press(CONTINUE));
  // The page goes on by itself, or has a link if its order became known otherwise.
  await pressUntil(enabled(buyer, CONTINUE).or(buyer.link(CONTINUE)), buyer.headings('Pay for your tickets'));
  await fail('payment', buyer, () => buyer.payWith('Succeeds after 5 seconds'));
  const [paid, processing] = [buyer.tab.getByText(PAID).first(), buyer.tab.getByText('The bank is processing').first()];
  await pressUntil(enabled(buyer, PAY), processing.or(paid));
  await fail('paying', buyer);
  await pressUntil(enabled(buyer, PAY), paid);
  const pdf = await buyer.downloadPdf(() => pressUntilDownloaded(buyer));
  dropConnectionErrors(browser);
  const { available, sold } = await api.stock(concert);
  const { customerName } = await api.orderOf(name);
  return { pdf, orders: await api.countOrders(name), customerName, available, sold };
}

// Presses a button again whenever its request has failed, until `next` is there. A request that was
// interrupted may have had its effect or not, and the page finds out which.
async function pressUntil(control, next) {
  const [button, done] = [control.first(), next.first()];
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    await done.or(button).first().waitFor();
    if (await done.isVisible()) return;
    await button.click({ timeout: CLICK_MS }).catch(() => undefined); // it may be gone by now
    await done.waitFor({ timeout: CLICK_MS }).catch(() => undefined); // a refusal asks for a moment
  }
  throw new Error(`${control} was refused ${MOST_TRIES} times`);
}

// Presses the button again whenever a download has been refused, as it may be right after an outage.
async function pressUntilDownloaded(buyer) {
  const [button, refusal] = [enabled(buyer, DOWNLOAD).first(), buyer.tab.locator('.downloads-problem').first()];
  let isDownloaded = false;
  buyer.tab.once('download', () => {
    isDownloaded = true;
  });
  const end = Date.now() + RECONNECTED_MS;
  while (!isDownloaded && Date.now() < end) {
    await button.click({ timeout: CLICK_MS }).catch(() => undefined); // it is disabled during a download
    await refusal.waitFor({ timeout: CLICK_MS }).catch(() => undefined);
  }
}

const enabled = (buyer, name) => buyer.tab.getByRole('button', { name, disabled: false });

const killStore = (ask, store) => (_, __, act = rest) => Promise.all([ask('killStore', { store }), act()]);

export const outages = {
  async losingTheServer(browser, url, { ask }) {
    const notices = [];
    const fail = async (stage, buyer, act) => {
      await ask('killServer');
      await buyer.main.getByText(LOST).waitFor();
      if (act) {
        await act();
        await buyer.sees(FAILED);
      }
      await buyer.screenshot(`server-lost-${stage}`);
      notices.push(stage);
      await ask('startServer');
      await buyer.main.getByText(LOST).waitFor({ state: 'hidden' });
    };
    return { ...(await buyDuringOutages(browser, url, { name: 'buyer821', title: 'Server lost', fail })), notices };
  },

  losingTheQueueStore: (browser, url, { ask }) =>
    buyDuringOutages(browser, url, { name: 'buyer822', title: 'Valkey lost', fail: killStore(ask, 'valkey') }),

  losingTheDatabase: (browser, url, { ask }) =>
    buyDuringOutages(browser, url, { name: 'buyer823', title: 'Database lost', fail: killStore(ask, 'mongod') }),

  losingTheNetwork(browser, url) {
    const fail = async (stage, buyer, act) => {
      await buyer.context.setOffline(true);
      await buyer.main.getByText('You are offline. This page').waitFor();
      // No one can pay without a network, so the page does not let them press the button.
      if (stage !== 'payment') await act?.();
      if (act) await buyer.sees(FAILED);
      await buyer.screenshot(`offline-${stage}`);
      await buyer.context.setOffline(false);
      if (stage === 'payment') await act();
      await buyer.main.getByText('You are offline. This page').waitFor({ state: 'hidden' });
    };
    return buyDuringOutages(browser, url, { name: 'buyer824', title: 'Network lost', fail });
  },

  // The database stops answering while an order is recorded. The page finishes the purchase by itself.
  async silencingTheDatabase(browser, url, { ask }) {
    const api = new Api(url);
    const concert = await api.openConcert('An order unknown');
    const name = 'buyer828';
    const buyer = await Buyer.open(browser, url, { name });
    buyer.tab.setDefaultTimeout(RECONNECTED_MS);
    await buyer.goto(`${concert.path}/tickets`);
    await buyer.choose('Standing', 2);
    await buyer.holdTickets();
    await buyer.field('Name').fill('Ann Example');
    await buyer.field('Email').fill(`${name}@onsale.example`);
    await ask('signalStore', { store: 'mongod', name: 'SIGSTOP' });
    await buyer.press(CONTINUE);
    await buyer.sees('Your order is being recorded');
    await buyer.screenshot('order-unknown');
    await ask('signalStore', { store: 'mongod', name: 'SIGCONT' });
    await buyer.heading('Pay for your tickets');
    const { customerName } = await api.orderOf(name);
    return { orders: await api.countOrders(name), customerName };
  },

  // The server closes the socket of a tab with each code, and one tab's each time. Returns how often
  // each tab has connected, and whether it says that nothing is pushed anymore.
  async closingSockets(browser, url, { again, final, often }) {
    const { concert, leave } = await openQueue(url, 'Sockets closed', 1);
    const buyer = await Buyer.open(browser, url, { name: 'buyer826' });
    const tabs = new Map();
    for (const code of [...again, ...final, ...often]) {
      const sockets = [];
      const prepare = (page) => routeSockets(page, sockets, often.includes(code) ? code : null);
      const tab = await buyer.openTab(`${concert.path}/queue`, prepare);
      await tab.untilPosition(2);
      tabs.set(code, { tab, sockets, notice: tab.main.getByText('Live updates have stopped') });
    }
    for (const [code, { sockets }] of tabs) await sockets[0].close({ code, reason: 'for a test' });
    for (const code of [...final, ...often]) await tabs.get(code).notice.waitFor();
    await tabs.get(final[0]).tab.screenshot('updates-stopped');
    // Whether by a push or by a request, each tab shows how the queue moves.
    for (const [number, seen] of [[2, (tab) => tab.untilPosition(1)], [1, (tab) => tab.untilCalled()]]) {
      await leave(number);
      for (const { tab } of tabs.values()) await seen(tab);
    }
    const seen = [...tabs].map(async ([code, { sockets, notice }]) => {
      return [code, [sockets.length, await notice.isVisible()]];
    });
    return Object.fromEntries(await Promise.all(seen));
  },

  // The server refuses the first subscriptions of someone who waits, as it does while it checks a stock.
  // Returns how often the page has subscribed.
  async refusingSubscriptions(browser, url) {
    const { concert, leave } = await openQueue(url, 'Refused at first', 1);
    const buyer = await Buyer.open(browser, url, { name: 'buyer827' });
    const refused = await refuseSubscriptions(buyer.context, 'queuePosition');
    await buyer.goto(`${concert.path}/queue`);
    await buyer.untilPosition(2);
    await refused.accepted;
    await leave(2);
    await buyer.untilPosition(1);
    await connected(buyer);
    return { subscriptions: refused.count() };
  },

  // The server refuses subscriptions that send nothing before the first change. Returns how often the
  // page has subscribed.
  async refusingQuietSubscriptions(browser, url) {
    const concert = await new Api(url).openConcert('Refused quietly');
    const buyer = await Buyer.open(browser, url, { name: 'buyer829' });
    const refused = await refuseSubscriptions(buyer.context, 'holdChanged');
    await buyer.goto(`${concert.path}/tickets`);
    await buyer.main.getByText(LOST).waitFor();
    await refused.accepted;
    await connected(buyer);
    return { subscriptions: refused.count() };
  },

  // The session ends in another tab. What was typed, the place, the hold and the order are kept.
  async losingTheSession(browser, url) {
    const { api, concert, leave } = await openQueue(url, 'Session lost', 1);
    const name = 'buyer825';
    const buyer = await Buyer.open(browser, url, { name });
    const signInAgain = async () => {
      await endSession(buyer);
      await buyer.sees('You have been signed out');
      await buyer.main.getByRole('button', { name: 'Sign in' }).first().click();
      await buyer.fillInLogin(name);
      await buyer.signedIn();
    };
    await buyer.goto(`${concert.path}/queue`);
    await buyer.untilPosition(2);
    await signInAgain();
    await buyer.untilPosition(2);
    await leave(2);
    await leave(1);
    await buyer.untilCalled();
    await buyer.enterShop();
    await buyer.choose('Standing', 2);
    await buyer.holdTickets();
    await buyer.field('Name').fill('Ann Example');
    await buyer.field('Email').fill('ann@onsale.example');
    await buyer.screenshot('typed-before-the-session-ends');
    await signInAgain();
    await buyer.heading('Your tickets are held');
    const kept = [await buyer.field('Name').inputValue(), await buyer.field('Email').inputValue()];
    await buyer.press('Continue to payment');
    await buyer.heading('Pay for your tickets');
    await signInAgain();
    await buyer.payWith();
    await buyer.untilFulfilled();
    dropConnectionErrors(browser);
    return { kept, orders: await api.countOrders(name), sold: (await api.stock(concert)).sold };
  },
};

const connected = (buyer) => buyer.main.getByText(LOST).waitFor({ state: 'hidden' });

// Refuses the first two subscriptions to a field: once before their start, and once as their result.
async function refuseSubscriptions(context, field) {
  const errors = [{ message: 'for a test', extensions: { code: 'UNAVAILABLE' } }];
  const failed = [{ type: 'next', payload: { errors } }, { type: 'complete' }];
  const refusals = [[{ type: 'error', payload: errors }], failed];
  let count = 0;
  let accept;
  const accepted = new Promise((resolve) => {
    accept = resolve;
  });
  await context.routeWebSocket(/\/graphql$/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((message) => {
      const { id, type, payload } = JSON.parse(message);
      if (type !== 'subscribe' || !payload.query.includes(field)) return server.send(message);
      count += 1;
      const refusal = refusals.shift();
      if (!refusal) return accept(server.send(message));
      for (const answer of refusal) socket.send(JSON.stringify({ id, ...answer }));
    });
  });
  return { accepted, count: () => count };
}

// Collects the sockets that a page will open. With a code, only the first one is connected, and the later
// ones are closed with it.
async function routeSockets(page, sockets, code) {
  await page.routeWebSocket(/\/graphql$/, (socket) => {
    sockets.push(socket);
    if (code === null || sockets.length === 1) socket.connectToServer();
    else socket.onMessage(() => socket.close({ code, reason: 'for a test' }));
  });
}

async function endSession(buyer) {
  const other = await buyer.openTab('/');
  await other.signedIn();
  await other.press('Sign out');
  await other.button('Sign in').waitFor();
  await other.tab.close();
}
