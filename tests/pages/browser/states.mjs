// Brings a buyer to every page of the shop and to each of its states, one after another.
import { Api } from './api.mjs';
import { Buyer } from './buyer.mjs';
import { ONE_AT_A_TIME } from './stories/queue.mjs';

const HOUR_MS = 3_600_000;
export const DEMO = '/concerts/lantern-ferry-royal-albert-hall';

// Calls `look` with the buyer and the name of each state. `people` are three names that no other story uses.
export async function visitEveryState(browser, url, { people, look, ...options }) {
  const api = new Api(url);
  const [buyerName, otherName, thirdName] = people;
  const visitor = await Buyer.open(browser, url, options);
  await visitSignedOut(visitor, api, look);
  const buyer = await Buyer.open(browser, url, { ...options, name: buyerName });
  await visitQueue(buyer, api, otherName, look);
  const order = await visitPurchase(buyer, api, look);
  const ticket = await visitTickets(buyer, api, order, look);
  await visitTransfer({ visitor, buyer, look, options }, api, ticket, otherName);
  await visitEnds(buyer, api, thirdName, look);
}

async function open(buyer, path) {
  await buyer.goto(path);
  await buyer.main.getByRole('heading', { level: 1 }).first().waitFor();
}

async function visitSignedOut(visitor, api, look) {
  await open(visitor, '/');
  await visitor.main.getByText(/upcoming concerts?/).waitFor();
  await look(visitor, 'catalog');
  await visitor.tab.getByRole('searchbox').fill('no such band anywhere');
  await visitor.main.getByRole('heading', { name: 'No matching concerts' }).waitFor();
  await look(visitor, 'catalog-nothing-found');
  await open(visitor, DEMO);
  await look(visitor, 'concert');
  const salesStartAt = new Date(Date.now() + HOUR_MS).toISOString();
  await open(visitor, (await api.openConcert('A sale to come', { salesStartAt })).path);
  await look(visitor, 'concert-before-the-sale');
  for (const [path, name] of [
    [`${DEMO}/queue`, 'queue-signed-out'],
    [`${DEMO}/tickets`, 'tickets-signed-out'],
    ['/tickets', 'my-tickets-signed-out'],
    ['/tickets/accept', 'transfer-without-a-link'],
    ['/tickets/accept#token', 'transfer-wrong-link'],
    ['/nowhere', 'not-found'],
    ['/login?return=/', 'login'],
  ]) {
    await open(visitor, path);
    await look(visitor, name);
  }
  await visitor.fillInLogin('no such person');
  await visitor.sees('Wrong name or password');
  visitor.browser.dropErrors('a status of 403');
  await look(visitor, 'login-refused');
}

async function visitQueue(buyer, api, otherName, look) {
  const concert = await api.openConcert('A full house', { room: ONE_AT_A_TIME });
  await api.joinQueue(otherName, concert);
  await buyer.goto(`${concert.path}/queue`);
  await buyer.untilPosition(1);
  await look(buyer, 'queue-waiting');
  await api.mutate('olivia', 'pauseWaitingRoom', { concertId: concert.id });
  await api.configureRoom(concert, { message: 'The doors open a little later today.' });
  await buyer.sees('The doors open a little later today.');
  await look(buyer, 'queue-paused');
  await api.mutate('olivia', 'resumeWaitingRoom', { concertId: concert.id });
  await api.mutate(otherName, 'leaveQueue', { concertId: concert.id });
  await buyer.untilCalled();
  await look(buyer, 'queue-your-turn');
  await buyer.press('Leave the queue');
  await buyer.tab.getByRole('dialog').waitFor();
  await look(buyer, 'queue-leaving');
  await buyer.tab.getByRole('dialog').getByRole('button', { name: 'Leave the queue' }).click();
  await buyer.heading('You have left the queue');
  await look(buyer, 'queue-left');
}

async function visitPurchase(buyer, api, look) {
  const concert = await api.openConcert('A purchase');
  await open(buyer, `${concert.path}/tickets`);
  await buyer.heading('Choose your tickets');
  await buyer.choose('Standing', 2);
  await look(buyer, 'tickets-choosing');
  await buyer.holdTickets();
  await look(buyer, 'tickets-held');
  await buyer.field('Name').fill('');
  await buyer.field('Email').fill('not an address');
  await buyer.press('Continue to payment');
  await buyer.tab.waitForFunction(() => document.activeElement?.getAttribute('aria-invalid') === 'true');
  await look(buyer, 'tickets-held-with-errors');
  await buyer.orderAs('Ann Example', 'ann@onsale.example');
  await look(buyer, 'checkout');
  await buyer.payWith('Declined');
  await buyer.sees('The payment was declined');
  buyer.browser.dropErrors('a status of 402');
  await look(buyer, 'checkout-declined');
  await visitSandbox(buyer, look);
  await buyer.payWith('Succeeds');
  await buyer.untilFulfilled();
  await look(buyer, 'order-fulfilled');
  return concert;
}

// The sandbox's own pages have another origin, and so has a tab of their own.
async function visitSandbox(buyer, look) {
  const address = await buyer.link(/own page/).getAttribute('href');
  const sandbox = await buyer.openTab(address);
  await look(sandbox, 'sandbox-payment');
  await sandbox.goto(new URL('/', address).href);
  await look(sandbox, 'sandbox-cards');
  await sandbox.tab.close();
}

async function visitTickets(buyer, api, concert, look) {
  await open(buyer, '/tickets');
  await buyer.sees(concert.name);
  await look(buyer, 'my-tickets');
  await buyer.press(/^Pass on ticket/);
  await buyer.tab.getByRole('dialog').waitFor();
  await look(buyer, 'my-tickets-passing-on');
  await buyer.tab.keyboard.press('Escape');
  return api.firstTicketOf(buyer.name);
}

// The link of an offer, for a visitor, for another person, and for the person to whom it was sent.
async function visitTransfer({ visitor, buyer, look, options }, api, ticket, recipientName) {
  const email = `${recipientName}@onsale.example`;
  await api.mutate(buyer.name, 'transferTicket', { ticketId: ticket.id, email });
  await open(buyer, '/tickets');
  await buyer.sees(email);
  await look(buyer, 'my-tickets-offered');
  const link = await api.transferLink(email);
  await open(visitor, link);
  await visitor.main.getByRole('heading', { name: ticket.concert.name }).waitFor();
  await look(visitor, 'transfer-signed-out');
  await open(buyer, link);
  await buyer.sees('This ticket cannot be accepted');
  await look(buyer, 'transfer-for-another-person');
  const recipient = await Buyer.open(buyer.browser, buyer.url, { ...options, name: recipientName });
  await open(recipient, link);
  await recipient.main.getByRole('heading', { name: ticket.concert.name }).waitFor();
  await look(recipient, 'transfer');
  await recipient.press('Accept the ticket');
  await recipient.sees('The ticket is yours');
  await look(recipient, 'transfer-accepted');
  await open(visitor, '/dev/mailbox');
  await look(visitor, 'mailbox');
}

async function visitEnds(buyer, api, thirdName, look) {
  const soldOut = await api.openConcert('Sold out', { tiers: [{ name: 'Standing', priceMinor: 3_200, capacity: 1 }] });
  const { id } = await api.buy(thirdName, soldOut, 1);
  await open(buyer, soldOut.path);
  await look(buyer, 'concert-sold-out');
  await open(buyer, `${soldOut.path}/tickets`);
  await look(buyer, 'tickets-sold-out');
  await open(buyer, `/orders/${id}`);
  await look(buyer, 'order-of-another-person');
  const closed = await api.openConcert('Closed');
  await api.mutate('olivia', 'closeConcert', { concertId: closed.id });
  await open(buyer, closed.path);
  await look(buyer, 'concert-closed');
  const canceled = await api.openConcert('Canceled');
  await api.mutate('olivia', 'cancelConcert', { concertId: canceled.id });
  await open(buyer, canceled.path);
  await look(buyer, 'concert-canceled');
}
