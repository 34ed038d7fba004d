// People read the catalog, buy tickets and pass them on; an organizer moves and cancels a concert.
import { linkInTheMailbox, mailsTo } from '../mailbox.mjs';
import { Page } from '../page.mjs';

// Pays an order in a tab of the buyer's browser: with a card that is declined, then with another.
async function payInTheBrowser(browser, person, { payment }) {
  const tab = await person.newPage();
  await tab.goto(payment.testPaymentUrl);
  const title = await tab.getByRole('heading').textContent();
  await tab.getByText('Declined: insufficient funds').click();
  await tab.getByRole('button', { name: 'Pay' }).click();
  await tab.getByText('Your card has insufficient funds. Choose another card.').waitFor();
  await browser.screenshot(tab, 'declined');
  await tab.getByRole('button', { name: 'Pay' }).click();
  await tab.getByText('The payment succeeded.').waitFor();
  await browser.screenshot(tab, 'payment-succeeded');
  return title;
}

// Sends the form of the payment sandbox, as the page of `testPaymentUrl` does.
async function payWithTestCard({ payment }) {
  const body = new URLSearchParams({ payment_method: 'pm_card_visa' });
  const answer = await fetch(payment.testPaymentUrl, { method: 'POST', body });
  if (!answer.ok) throw new Error(`the sandbox answered ${answer.status}`);
}

export const tickets = {
  async readingTheCatalog(browser, url) {
    const page = await Page.open(await browser.openPerson(), url);
    const { data } = await page.run('Catalog');
    await page.untilResultShows('"isOnSale": true');
    await browser.screenshot(page.tab, 'catalog');
    const anonymous = await page.run('Me');
    await page.openTab('HoldTickets');
    await page.start();
    await page.untilResultShows('There is no queue pass yet');
    await browser.screenshot(page.tab, 'no-pass-yet');
    await page.tab.getByRole('button', { name: 'Show Documentation Explorer' }).click();
    await page.tab.getByText('A GraphQL schema provides').waitFor();
    await browser.screenshot(page.tab, 'documentation');
    return { concerts: data.concerts.nodes.length, me: anonymous.data.me };
  },

  async buyingTickets(browser, url) {
    const person = await browser.openPerson();
    const page = await Page.open(person, url);
    const seen = { signedIn: await page.signInAs('alice') };
    seen.joined = typeof (await page.run('JoinQueue')).data.joinQueue.entry.number;
    await page.untilLiveLineShows('it is your turn');
    await page.openTab('WatchMyPlace');
    await page.start();
    await page.untilResultShows('"state": "READY"', '"position": 0');
    await browser.screenshot(page.tab, 'queue-position');
    seen.admitted = (await page.run('ClaimPass')).data.claimQueuePass.entry.state;
    seen.held = (await page.run('HoldTickets')).data.holdTickets.hold.state;
    await page.untilResultShows('"quantity": 2');
    await browser.screenshot(page.tab, 'holding');
    const { order } = (await page.run('BuyTickets')).data.purchaseTickets;
    seen.bought = order.status;
    seen.payment = await payInTheBrowser(browser, person, order);
    await page.untilLiveLineShows('you have bought');
    // The order is FULFILLED as soon as its document is ready.
    seen.paid = /^(PAID|FULFILLED)$/.test((await page.run('SyncPayment')).data.syncOrderPayment.order.status);
    await browser.screenshot(page.tab, 'bought');
    const { me } = (await page.run('Me')).data;
    seen.orders = me.orders.nodes.length;
    return seen;
  },

  // An organizer moves a concert that is sold, and then cancels it; its buyer gets the mails.
  async movingAndCancelingAConcert(browser, url) {
    const person = await browser.openPerson();
    const page = await Page.open(person, url);
    await page.signInAs('olivia');
    const created = (await page.run('CreateConcert')).data.createConcert.concert;
    const seen = { created: created.status };
    seen.published = (await page.run('PublishConcert')).data.publishConcert.concert.status;
    await page.signOut();
    await page.signInAs('carol');
    await payWithTestCard((await page.run('BuyThere')).data.purchaseTickets.order);
    await page.run('SyncPayment');
    await mailsTo(url, 'carol', 'Your tickets for Pier Session');
    await page.signOut();
    await page.signInAs('olivia');
    const moved = (await page.run('MoveConcert')).data.updateConcert.concert;
    seen.venue = `${moved.venue.name}, ${moved.venue.city}`;
    seen.isLater = moved.startsAtLocal > created.startsAtLocal;
    await page.untilResultShows('Brighton Dome');
    await browser.screenshot(page.tab, 'moved');
    await mailsTo(url, 'carol', 'New date or venue: Pier Session', 'Your tickets');
    seen.canceled = (await page.run('CancelConcert')).data.cancelConcert.concert.status;
    await page.untilResultShows('"status": "CANCELLED"');
    await browser.screenshot(page.tab, 'canceled');
    const subjects = ['Refund for your order', 'Canceled: Pier Session', 'New date or venue: Pier Session', 'Your tickets'];
    const paths = await mailsTo(url, 'carol', ...subjects);
    const again = (await page.run('CancelConcert')).data.cancelConcert.concert.cancellation;
    seen.refunded = [again.refundedOrders, again.openOrders];
    const tab = await person.newPage();
    await tab.goto(`${url}/dev/mailbox`);
    await browser.screenshot(tab, 'mailbox');
    const names = ['refund', 'cancellation', 'new-date', 'confirmation'];
    for (const [index, name] of names.entries()) {
      await tab.goto(url + paths[index]);
      await browser.screenshot(tab, `mail-${name}`);
    }
    return seen;
  },

  // A holder passes a ticket on, and scanners try the old and the new code.
  async passingATicketOn(browser, url) {
    const page = await Page.open(await browser.openPerson(), url);
    await page.signInAs('olivia');
    await page.run('JoinQueue');
    await page.untilLiveLineShows('it is your turn');
    await page.run('ClaimPass');
    await page.run('HoldTickets');
    await payWithTestCard((await page.run('BuyTickets')).data.purchaseTickets.order);
    await page.run('SyncPayment');
    const seen = { mine: (await page.run('MyTickets')).data.me.tickets.nodes.length };
    seen.offered = (await page.run('PassOn')).data.transferTicket.ticket.transfer.email;
    await page.untilResultShows('"email": "bob@onsale.example"');
    await browser.screenshot(page.tab, 'offered');

    const bob = await browser.openPerson();
    const tab = await bob.newPage();
    await tab.goto(await linkInTheMailbox(url));
    await tab.getByRole('main').getByRole('button', { name: 'Sign in' }).click();
    await tab.getByLabel('Name').fill('bob');
    await tab.getByLabel('Password').fill('bob');
    await tab.getByRole('button', { name: 'Sign in' }).click();
    await tab.getByLabel('Name on the ticket').fill('Bob Demo');
    await browser.screenshot(tab, 'accepting');
    await tab.getByRole('button', { name: 'Accept the ticket' }).click();
    await tab.getByRole('main').getByText('The ticket is yours').waitFor();
    await browser.screenshot(tab, 'accepted');
    seen.address = new URL(tab.url()).pathname + new URL(tab.url()).hash;
    const downloading = tab.waitForEvent('download');
    await tab.getByRole('button', { name: /^Download the PDF of ticket/ }).click();
    seen.isPdf = (await downloading).suggestedFilename().endsWith('.pdf');

    seen.old = (await page.run('CheckIn')).data.checkInTicket.reason;
    const bobs = await Page.open(await browser.openPerson(), url);
    await bobs.signInAs('bob');
    // Bob may have bought others in another story, so this is the newest of his tickets.
    seen.his = (await bobs.run('MyTickets')).data.me.tickets.nodes[0].holderName;
    await browser.screenshot(bobs.tab, 'my-tickets');
    await bobs.signOut();
    await bobs.signInAs('olivia');
    seen.first = (await bobs.run('CheckIn')).data.checkInTicket.ticket.holderName;
    await browser.screenshot(bobs.tab, 'checked-in');
    seen.second = (await bobs.run('CheckIn')).data.checkInTicket.checkIn.deviceId;
    await bobs.untilResultShows('"deviceId": "north gate"');
    await browser.screenshot(bobs.tab, 'already-checked-in');
    return seen;
  },

  // One person watches the stock while another buys, each in their own window.
  async followingTheStock(browser, url) {
    const viewer = await Page.open(await browser.openPerson({ colorScheme: 'dark' }), url);
    await viewer.openTab('WatchStock');
    await viewer.start();
    await viewer.untilResultShows('"held": 0', '"soldOut": false');
    const sold = await viewer.firstNumber('sold');
    const buyer = await Page.open(await browser.openPerson(), url);
    await buyer.signInAs('bob');
    await buyer.run('JoinQueue');
    await buyer.untilLiveLineShows('it is your turn');
    await buyer.run('ClaimPass');
    await buyer.run('HoldTickets');
    await viewer.untilResultShows('"held": 2');
    const held = await viewer.firstNumber('held');
    await viewer.untilLiveLineShows('tickets left');
    await browser.screenshot(viewer.tab, 'stock-in-dark-mode');
    await payWithTestCard((await buyer.run('BuyTickets')).data.purchaseTickets.order);
    await buyer.run('SyncPayment');
    await viewer.untilResultShows(`"sold": ${sold + 2}`);
    const { nodes } = (await buyer.runElsewhere('{ me { orders(first: 1) { nodes { customerName customerEmail } } } }')).me.orders;
    return { held, sold: (await viewer.firstNumber('sold')) - sold, buyer: nodes[0] };
  },
};
