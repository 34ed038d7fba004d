// What buyers see while olivia, the organizer, works with her own tools.
import { announcements } from '../../../e2e/browser/audits.mjs';
import { Api } from '../api.mjs';
import { Buyer, PAYMENT_MS } from '../buyer.mjs';
import { dropConnectionErrors } from './outages.mjs';
import { openQueue } from './queue.mjs';

const SOLD_THROUGH_A_QUEUE = 'Tickets are sold through a queue so that everyone gets a fair turn.';

// From here on, the pages of a person learn only what is pushed to them. Returns the number of requests
// that they tried to send.
async function blockRequests({ context }) {
  const asked = { count: 0 };
  await context.route('**/graphql*', (route) => {
    asked.count += 1;
    return route.abort();
  });
  return asked;
}

export const organizers = {
  async followingTheOrganizer(browser, url) {
    const { api, concert } = await openQueue(url, 'A busy organizer', 1);
    const organize = (field, input = {}) => api.mutate('olivia', field, { concertId: concert.id, ...input });
    const buyer = await Buyer.open(browser, url, { name: 'buyer831' });
    await buyer.goto(`${concert.path}/queue`);
    await buyer.untilPosition(2);
    const onConcertPage = await buyer.openTab(concert.path);
    await onConcertPage.sees('€32');

    await organize('pauseWaitingRoom');
    await buyer.sees('The queue is paused.');
    await api.configureRoom(concert, { message: 'Back in ten minutes: the band has missed its train.' });
    await buyer.sees('Back in ten minutes: the band has missed its train.');
    await buyer.screenshot('paused-with-a-message');
    await organize('resumeWaitingRoom');
    await buyer.tab.getByText('The queue is paused.').first().waitFor({ state: 'hidden' });
    const kept = await buyer.position();

    await organize('updateConcert', { tiers: [{ tierId: concert.tiers[0].id, priceMinor: 3_900 }] });
    await Promise.all([buyer, onConcertPage].map((page) => page.sees('€39')));
    await onConcertPage.screenshot('new-price');

    await organize('closeConcert');
    await buyer.heading('The sale is over');
    await onConcertPage.sees('The sale is over');
    await onConcertPage.screenshot('closed');
    return { kept, joinsLeft: await onConcertPage.button('Join the queue').or(onConcertPage.link('Join the queue')).count() };
  },

  async waitingForACanceledConcert(browser, url) {
    const { api, concert } = await openQueue(url, 'A concert that does not take place', 1);
    const buyer = await Buyer.open(browser, url, { name: 'buyer834' });
    await buyer.goto(`${concert.path}/queue`);
    await buyer.untilPosition(2);
    await buyer.goto(concert.path);
    await buyer.sees('Your position: 2');
    await api.mutate('olivia', 'cancelConcert', { concertId: concert.id });
    await buyer.sees('This concert has been canceled');
    await buyer.screenshot('canceled');
    return { placesLeft: await buyer.main.getByText('You are in the queue').count() };
  },

  // Three people without a place: two on the page of the concert, and one in front of the queue.
  async watchingWithoutAPlace(browser, url) {
    const api = new Api(url);
    const concert = await api.openConcert('Watched without a place', { room: {} });
    const organize = (field) => api.mutate('olivia', field, { concertId: concert.id });
    const [visitor, buyer, atQueue] = [
      await Buyer.open(browser, url),
      await Buyer.open(browser, url, { name: 'buyer835' }),
      await Buyer.open(browser, url),
    ];
    const onConcertPage = [visitor, buyer];
    const bothSee = (text) => Promise.all(onConcertPage.map((person) => person.sees(text)));
    await atQueue.goto(`${concert.path}/queue`);
    await atQueue.button('Sign in').first().waitFor();
    for (const person of onConcertPage) await person.goto(concert.path);
    await bothSee(SOLD_THROUGH_A_QUEUE);
    const asked = await Promise.all(onConcertPage.map(blockRequests));
    await blockRequests(atQueue);

    await organize('pauseWaitingRoom');
    await bothSee('The queue is paused. You can join and keep your place.');
    await visitor.screenshot('paused-without-a-place');
    await organize('resumeWaitingRoom');
    await bothSee(SOLD_THROUGH_A_QUEUE);
    await organize('closeConcert');
    await Promise.all([bothSee('The sale is over'), atQueue.heading('The sale is over')]);
    await organize('cancelConcert');
    await Promise.all([bothSee('This concert has been canceled'), atQueue.heading('The concert is canceled')]);
    await visitor.screenshot('canceled-without-a-place');
    const announced = (await announcements(visitor.tab)).map(({ text }) => text);
    dropConnectionErrors(browser);
    const joinsLeft = await Promise.all(onConcertPage.map((person) => person.main.getByText(/queue/).count()));
    return { asked: asked.map(({ count }) => count), joinsLeft, announced };
  },

  async watchingTheLastTicketGo(browser, url) {
    const api = new Api(url);
    const concert = await api.openConcert('The last ticket', { tiers: [{ name: 'Standing', priceMinor: 3_200, capacity: 1 }] });
    const visitor = await Buyer.open(browser, url);
    const choosing = await Buyer.open(browser, url, { name: 'buyer836' });
    await visitor.goto(concert.path);
    await visitor.button('Sign in to buy tickets').waitFor();
    await choosing.goto(`${concert.path}/tickets`);
    await choosing.heading('Choose your tickets');
    const asked = await blockRequests(visitor);
    await blockRequests(choosing);
    await api.buy('buyer837', concert, 1);
    await visitor.sees('All tickets are sold or held at the moment.');
    await visitor.screenshot('sold-out-without-a-place');
    const buttons = await visitor.button('Sign in to buy tickets').count();
    await api.mutate('olivia', 'closeConcert', { concertId: concert.id });
    await Promise.all([visitor.sees('The sale is over'), choosing.heading('The sale is over')]);
    dropConnectionErrors(browser);
    return { asked: asked.count, buttons };
  },

  async seeingARefund(browser, url) {
    const api = new Api(url);
    const concert = await api.openConcert('A refund');
    const order = await api.buy('buyer832', concert, 2);
    const buyer = await Buyer.open(browser, url, { name: 'buyer832' });
    await buyer.goto(`/orders/${order.id}`);
    await buyer.untilFulfilled();
    await api.mutate('olivia', 'refundOrder', { orderId: order.id, idempotencyKey: crypto.randomUUID() });
    await buyer.sees('The whole price was returned', { timeout: PAYMENT_MS });
    await buyer.screenshot('refunded');
    return { status: (await api.orderOf('buyer832')).status, refunded: await buyer.main.getByText('€64', { exact: true }).count() > 0 };
  },

  async returningTickets(browser, url) {
    const api = new Api(url);
    const concert = await api.openConcert('Returned tickets');
    const order = await api.buy('buyer833', concert, 2);
    const buyer = await Buyer.open(browser, url, { name: 'buyer833' });
    await buyer.goto(`/orders/${order.id}`);
    await buyer.untilFulfilled();
    await buyer.press('Return tickets');
    const dialog = buyer.tab.getByRole('dialog', { name: 'Which tickets do you want to return?' });
    await buyer.hands.choose(dialog.getByRole('checkbox').first());
    await buyer.screenshot('returning-a-ticket');
    await dialog.getByRole('button', { name: 'Return 1 ticket for €32' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await buyer.sees('Refunded');
    return { available: (await api.stock(concert)).available };
  },
};
