// What buyers see while olivia, the organizer, works with her own tools.
import { Api } from '../api.mjs';
import { Buyer, PAYMENT_MS } from '../buyer.mjs';
import { openQueue } from './queue.mjs';

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
