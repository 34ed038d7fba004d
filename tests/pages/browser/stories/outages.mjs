// The server, a store, the network or the session goes away in the middle, and comes back.
import { Buyer } from '../buyer.mjs';
import { openQueue } from './queue.mjs';

// What Chromium itself logs when a request or a socket fails.
const LOGGED_BY_CHROMIUM = ['Failed to load resource', 'WebSocket connection to', 'net::ERR_'];
const RECONNECTED_MS = 120_000;

export function dropConnectionErrors(browser) {
  for (const text of LOGGED_BY_CHROMIUM) browser.dropErrors(text);
}

// Goes from the queue to the tickets, while `fail` makes something unavailable at each stage.
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
  await buyer.holdTickets();
  await fail('hold', buyer);
  await buyer.orderAs('Ann Example', `${name}@onsale.example`);
  await fail('payment', buyer);
  await buyer.payWith('Succeeds after 5 seconds');
  await fail('paying', buyer);
  await payAgainUnlessPaid(buyer);
  const pdf = await buyer.downloadPdf();
  dropConnectionErrors(browser);
  const { available, sold } = await api.stock(concert);
  return { pdf, orders: await api.countOrders(name), available, sold };
}

// A payment that was interrupted may have been made or not, and the page says which.
async function payAgainUnlessPaid(buyer) {
  const paid = buyer.tab.getByText('Paid: your tickets are ready').first();
  const pay = buyer.button(/^Pay /);
  await paid.or(pay).first().waitFor();
  if (await pay.isVisible()) await pay.click();
  await buyer.untilFulfilled();
}

const killStore = (ask, store) => () => ask('killStore', { store });

export const outages = {
  async losingTheServer(browser, url, { ask }) {
    const notices = [];
    const fail = async (stage, buyer) => {
      await ask('killServer');
      await buyer.main.getByText('The connection was lost').waitFor();
      await buyer.screenshot(`server-lost-${stage}`);
      notices.push(stage);
      await ask('startServer');
      await buyer.main.getByText('The connection was lost').waitFor({ state: 'hidden' });
    };
    return { ...(await buyDuringOutages(browser, url, { name: 'buyer821', title: 'Server lost', fail })), notices };
  },

  losingTheQueueStore: (browser, url, { ask }) =>
    buyDuringOutages(browser, url, { name: 'buyer822', title: 'Valkey lost', fail: killStore(ask, 'valkey') }),

  losingTheDatabase: (browser, url, { ask }) =>
    buyDuringOutages(browser, url, { name: 'buyer823', title: 'Database lost', fail: killStore(ask, 'mongod') }),

  losingTheNetwork(browser, url) {
    const fail = async (stage, buyer) => {
      await buyer.context.setOffline(true);
      await buyer.main.getByText('You are offline. This page').waitFor();
      await buyer.screenshot(`offline-${stage}`);
      await buyer.context.setOffline(false);
      await buyer.main.getByText('You are offline. This page').waitFor({ state: 'hidden' });
    };
    return buyDuringOutages(browser, url, { name: 'buyer824', title: 'Network lost', fail });
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

async function endSession(buyer) {
  const other = await buyer.openTab('/');
  await other.signedIn();
  await other.press('Sign out');
  await other.button('Sign in').waitFor();
  await other.tab.close();
}
