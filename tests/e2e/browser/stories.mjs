// Stories of people who use GraphiQL's page. Each returns its observations, which the test checks.
import { createServer } from 'node:http';

import { Page } from './page.mjs';
import { countSubscribes, recordSockets, runningFields, untilOnlyTheseRun } from './sockets.mjs';

const FIND_CONCERT = '{ concert(by: {slug: "lantern-ferry-royal-albert-hall"}) { id } }';

// Opens a page as Bob. Its clock can be advanced, and its sockets are recorded.
async function openAsBob(browser, url) {
  const person = await browser.openPerson();
  await recordSockets(person);
  await person.clock.install();
  const page = await Page.open(person, url);
  await page.signInAs('bob');
  const { id } = (await page.runElsewhere(FIND_CONCERT)).concert;
  const mutation = (verb) => `mutation { ${verb}(input: { concertId: "${id}" }) { __typename } }`;
  return {
    page,
    joinElsewhere: () => page.runElsewhere(mutation('joinQueue')),
    leaveElsewhere: () => page.runElsewhere(mutation('leaveQueue')),
  };
}

// Runs in a page of another site: tries to use the session of the person who visits it.
async function attack(url) {
  const query = '{ me { name } }';
  const send = async (address, init) => {
    try {
      return (await fetch(address, { credentials: 'include', ...init })).status;
    } catch {
      return 'blocked';
    }
  };
  const json = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ query }) };
  const text = { ...json, headers: { 'Content-Type': 'text/plain' } };
  const socket = await new Promise((resolve) => {
    const opened = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    opened.onopen = () => opened.send('{"type":"connection_init"}');
    opened.onclose = () => resolve('blocked');
    opened.onmessage = ({ data }) => {
      const { type, payload } = JSON.parse(data);
      if (type === 'next') resolve(payload.data);
      else opened.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
    };
  });
  return {
    post: await send(`${url}/graphql`, json),
    text: await send(`${url}/graphql`, text),
    get: await send(`${url}/graphql?query=${encodeURIComponent(query)}`, {}),
    logout: await send(`${url}/logout`, { method: 'POST' }),
    socket,
  };
}

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

// Waits for the mail with the link of a transfer, and returns the link.
async function linkInTheMailbox(url) {
  for (let attempt = 0; attempt < 120; attempt += 1) {
    const listed = await (await fetch(`${url}/dev/mailbox`)).text();
    for (const [, path] of listed.matchAll(/href="(\/dev\/mailbox\/\w+)"/g)) {
      const link = /href="([^"]+\/tickets\/accept#[^"]+)"/.exec(await (await fetch(url + path)).text());
      if (link) return link[1];
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error('the mailbox has no mail with a link');
}

// Waits until the newest mails to a person have these subjects, newest first, and returns their paths.
async function mailsTo(url, address, ...subjects) {
  let found = [];
  for (let attempt = 0; attempt < 120; attempt += 1) {
    const listed = await (await fetch(`${url}/dev/mailbox`)).text();
    found = [...listed.matchAll(/href="(\/dev\/mailbox\/\w+)">([^<]*)<\/a>[^<]*<br>([^<]*)/g)]
      .filter(([, , , below]) => below.includes(address))
      .slice(0, subjects.length);
    if (subjects.every((subject, index) => found[index]?.[2].startsWith(subject))) return found.map(([, path]) => path);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error(`the mailbox has ${found.map(([, , subject]) => subject)}; expected ${subjects}`);
}

export const stories = {
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

  // An organizer runs the waiting room; a customer waits in it and follows the queue.
  async runningTheWaitingRoom(browser, url) {
    const olivia = await Page.open(await browser.openPerson(), url);
    const carol = await Page.open(await browser.openPerson(), url);
    await olivia.signInAs('olivia');
    const seen = { paused: (await olivia.run('PauseRoom')).data.pauseWaitingRoom.waitingRoom.status };
    await olivia.untilLiveLineShows('paused · 0 waiting');
    await carol.signInAs('carol');
    await carol.run('JoinQueue');
    await carol.untilLiveLineShows('position 1 of 1 · paused; you keep your place');
    await olivia.untilLiveLineShows('paused · 1 waiting');
    await browser.screenshot(carol.tab, 'paused');
    await olivia.run('ConfigureRoom');
    await carol.untilLiveLineShows('Bring an umbrella');
    seen.emptied = (await olivia.run('ResetRoom')).data.resetWaitingRoom.waitingRoom.waitingCount;
    await carol.untilLiveLineShows('you lost your place: the organizer reset the queue');
    await carol.run('JoinQueue');
    seen.called = (await olivia.run('AdmitNext')).data.admitNext.call.called;
    await carol.untilLiveLineShows('it is your turn: claim your pass before');
    seen.resumed = (await olivia.run('ResumeRoom')).data.resumeWaitingRoom.waitingRoom.status;
    await olivia.openTab('WatchTheRoom');
    await olivia.start();
    await olivia.untilResultShows('"status": "OPEN"', '"waitingCount": 0');
    await browser.screenshot(olivia.tab, 'waiting-room');
    const { nodes } = (await olivia.run('RoomAudit')).data.waitingRoom.audit;
    seen.audit = nodes.map(({ action, personName }) => `${personName} ${action}`);
    return seen;
  },

  // After an entry has ended, the page subscribes again only when the person joins again.
  async leavingTheQueue(browser, url) {
    const { page, joinElsewhere, leaveElsewhere } = await openAsBob(browser, url);
    await joinElsewhere();
    await page.tab.reload();
    await page.untilLiveLineShows('it is your turn');
    await leaveElsewhere();
    await page.untilLiveLineShows('you left the queue');
    await untilOnlyTheseRun(page, 'stockChanged');
    const seen = { whenItEnded: await countSubscribes(page, 'queuePosition') };
    await page.passHalfAMinute();
    seen.halfAMinuteLater = await countSubscribes(page, 'queuePosition');
    await page.run('JoinQueue');
    await page.untilLiveLineShows('it is your turn');
    await page.passHalfAMinute();
    seen.afterRejoining = await countSubscribes(page, 'queuePosition');
    seen.running = await runningFields(page);
    await leaveElsewhere();
    return seen;
  },

  // A signed-in person has one subscription of each kind; signing out ends queuePosition.
  async signingOutAndIn(browser, url) {
    const { page, joinElsewhere, leaveElsewhere } = await openAsBob(browser, url);
    await joinElsewhere();
    await page.tab.reload();
    const subscribes = [];
    for (let time = 0; time < 3; time += 1) {
      await untilOnlyTheseRun(page, 'queuePosition', 'stockChanged');
      await page.signOut();
      await untilOnlyTheseRun(page, 'stockChanged');
      await page.signInAs('bob');
      await page.untilLiveLineShows('it is your turn');
      await page.passHalfAMinute();
      subscribes.push(await countSubscribes(page, 'queuePosition'));
    }
    const seen = { subscribes, signedIn: await runningFields(page) };
    await leaveElsewhere();
    await untilOnlyTheseRun(page, 'stockChanged');
    await page.signOut();
    await untilOnlyTheseRun(page, 'stockChanged');
    await page.passHalfAMinute();
    seen.atTheEnd = await countSubscribes(page, 'queuePosition');
    seen.signedOut = await runningFields(page);
    return seen;
  },

  // The server refuses each subscription to the stock; the page retries at increasing intervals.
  async retryingARefusedSubscription(browser, url) {
    const person = await browser.openPerson();
    await person.clock.install();
    let attempts = 0;
    let reportAttempt = () => undefined;
    await person.routeWebSocket('**/graphql', (socket) => {
      socket.onMessage((text) => {
        const { id, type } = JSON.parse(text);
        if (type === 'connection_init') socket.send(JSON.stringify({ type: 'connection_ack' }));
        if (type !== 'subscribe') return;
        attempts += 1;
        socket.send(JSON.stringify({ id, type: 'error', payload: [{ message: 'The store is unavailable.' }] }));
        reportAttempt();
      });
    });
    const page = await Page.open(person, url);
    for (let jump = 0; jump < 6; jump += 1) {
      const attempt = new Promise((resolve) => {
        reportAttempt = resolve;
      });
      await page.tab.clock.fastForward(30_000);
      await attempt;
    }
    const before = attempts;
    await page.run('Catalog');
    await page.tab.clock.fastForward(10_000);
    await page.run('Catalog');
    return { withinTenSeconds: attempts - before };
  },

  // The server stops, then a proxy answers instead; the page explains both without a stack trace.
  async losingTheServer(browser, url) {
    const person = await browser.openPerson();
    const page = await Page.open(person, url);
    await page.openTab('BuyTickets');
    await page.start();
    await page.untilResultShows('There is no name of yours: sign in above first');
    await person.route('**/graphql', (route) => route.abort('connectionrefused'));
    await person.route('**/openid-configuration', (route) => route.abort('connectionrefused'));
    await page.openTab('Catalog');
    await page.start();
    await page.untilResultShows('The server cannot be reached. Check that it runs');
    const shown = [await page.result()];
    await browser.screenshot(page.tab, 'losing-the-server');
    await page.tab.getByRole('button', { name: 'alice', exact: true }).click();
    await page.tab.getByRole('alert').getByText('The issuer cannot be reached').waitFor();
    await person.route('**/graphql', (route) => route.fulfill({ status: 502, body: '<h1>Bad Gateway</h1>' }));
    await page.start();
    await page.untilResultShows('answered with status 502');
    shown.push(await page.result());
    browser.dropErrors('net::ERR_CONNECTION_REFUSED');
    browser.dropErrors('502 (Bad Gateway)');
    return { stacks: shown.filter((text) => text.includes('stack')).length };
  },

  async loggingInAtTheIssuer(browser, url) {
    const page = await Page.open(await browser.openPerson({ colorScheme: 'dark' }), url);
    const seen = { signedIn: await page.signInAtTheIssuer('carol') };
    seen.me = (await page.run('Me')).data.me.name;
    seen.secrets = await page.secretsInReach();
    await browser.screenshot(page.tab, 'signed-in-in-dark-mode');
    await page.tab.reload();
    seen.afterReload = await page.signedIn();
    await page.tab.getByRole('button', { name: 'Sign out' }).click();
    await page.tab.getByText('You are signed out').or(page.tab.getByRole('button', { name: 'alice' })).waitFor();
    await browser.screenshot(page.tab, 'signed-out');
    await page.tab.goto(`${url}/graphql`);
    await page.tab.getByRole('button', { name: 'alice' }).waitFor();
    seen.afterSignOut = (await page.run('Me')).data.me;
    return seen;
  },

  // The bar of the shop signs demo users in with one click, and leads to GraphiQL.
  async usingTheDeveloperBar(browser, url) {
    const tab = await (await browser.openPerson()).newPage();
    await tab.goto(url);
    const bar = tab.getByRole('complementary', { name: 'For developers' });
    const alice = bar.getByRole('button', { name: 'alice' });
    await alice.click();
    await tab.getByRole('banner').getByText('alice').waitFor();
    const seen = { isPressed: await alice.getAttribute('aria-pressed') };
    await bar.getByRole('button', { name: 'bob' }).click();
    await tab.getByRole('banner').getByText('bob').waitFor();
    await bar.getByRole('button', { name: 'bob' }).click();
    await tab.getByRole('banner').getByRole('button', { name: 'Sign in' }).waitFor();
    seen.links = await bar.getByRole('link').allTextContents();
    await bar.getByText('For developers').click();
    await tab.reload();
    await bar.getByText('For developers').waitFor();
    seen.isOpenAfterReload = await alice.isVisible();
    await bar.getByText('For developers').click();
    await bar.getByRole('link', { name: 'GraphiQL' }).click();
    await tab.locator('.graphiql-query-editor').first().waitFor();
    return seen;
  },

  // One browser, two tabs: the session of the browser, and a demo user of one tab.
  async beingTwoPeople(browser, url) {
    const person = await browser.openPerson();
    await recordSockets(person);
    const [buyers, bobs] = [await Page.open(person, url), await Page.open(person, url)];
    await buyers.signInAtTheIssuer('buyer1');
    await bobs.signInAs('bob');
    const seen = { names: [] };
    for (const page of [buyers, bobs]) {
      await page.tab.reload();
      await page.untilLoaded();
      seen.names.push(await page.signedIn(), (await page.run('Me')).data.me.name);
    }
    await untilOnlyTheseRun(buyers, 'queuePosition', 'stockChanged');
    await bobs.tab.getByRole('button', { name: 'Sign out' }).click();
    await bobs.tab.locator('#signed-in', { hasText: 'buyer1' }).waitFor();
    seen.onceSignedOut = (await bobs.run('Me')).data.me.name;
    return seen;
  },

  // The server no longer knows the session: the page goes to the login once, and returns.
  async losingTheSession(browser, url) {
    const person = await browser.openPerson();
    await recordSockets(person);
    const page = await Page.open(person, url);
    await page.signInAtTheIssuer('carol');
    let logins = 0;
    person.on('request', (request) => {
      if (new URL(request.url()).pathname === '/login') logins += 1;
    });
    await person.addCookies([{ name: 'onsale-session', value: 'unknown', url, httpOnly: true, sameSite: 'Lax' }]);
    await page.openTab('Me');
    await page.start();
    await page.fillInLogin('carol');
    const seen = { signedIn: await page.signedIn(), address: new URL(page.tab.url()).pathname };
    await page.untilLoaded();
    seen.me = (await page.run('Me')).data.me.name;
    // The socket of a page is told too.
    await person.addCookies([{ name: 'onsale-session', value: 'unknown', url, httpOnly: true, sameSite: 'Lax' }]);
    await page.tab.evaluate(() => window.closeSockets());
    await page.tab.getByLabel('Password').waitFor();
    browser.dropErrors('401 (Unauthorized)');
    return { ...seen, logins };
  },

  // A page of another site, even on the same machine, cannot use the session of the browser.
  async visitingAnotherSite(browser, url) {
    const person = await browser.openPerson();
    const page = await Page.open(person, url);
    await page.signInAtTheIssuer('carol');
    const other = await person.newPage();
    const server = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<p>Hello'));
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address();
    const tried = {};
    for (const [name, host] of Object.entries({ crossSite: '127.0.0.1', sameSite: 'localhost' })) {
      await other.goto(`http://${host}:${port}/`);
      tried[name] = await other.evaluate(attack, url);
    }
    server.close();
    server.closeAllConnections();
    const me = (await page.run('Me')).data.me.name;
    browser.dropErrors('');
    return { tried, me };
  },

  // Tokens are renewed a minute before they expire, until the issuer says that the session is over.
  async renewingTokens(browser, url) {
    const person = await browser.openPerson();
    await person.clock.install();
    const grants = [];
    await person.route('**/protocol/openid-connect/token', async (route) => {
      const grant = new URLSearchParams(route.request().postData()).get('grant_type');
      grants.push(grant);
      if (grants.length > 2) return route.fulfill({ status: 400, json: { error: 'invalid_grant' } });
      const response = await route.fetch();
      return route.fulfill({ response, json: { ...(await response.json()), expires_in: 600 } });
    });
    const page = await Page.open(person, url);
    const signedIn = await page.signInAs('alice');
    const renewed = page.tab.waitForResponse('**/protocol/openid-connect/token');
    await page.tab.clock.fastForward(540_000);
    await (await renewed).finished();
    const me = (await page.run('Me')).data.me.name;
    await page.tab.clock.fastForward(540_000);
    await page.tab.getByRole('button', { name: 'alice' }).waitFor();
    browser.dropErrors('400 (Bad Request)');
    return { signedIn, me, grants };
  },

  // The issuer's tokens last a minute, and its login session two: it shortens the last tokens to the
  // time that is left. The page renews them at a third of their lifetime, at most every ten seconds,
  // and ends its own subscriptions when the session is over.
  async renewingShortTokens(browser, url) {
    const person = await browser.openPerson();
    await recordSockets(person);
    await person.clock.install();
    const askedAtS = [];
    let elapsedS = 0;
    let newest = '';
    await person.route('**/protocol/openid-connect/token', async (route) => {
      askedAtS.push(elapsedS);
      const leftS = Math.round(120 - elapsedS);
      if (leftS <= 0) return route.fulfill({ status: 400, json: { error: 'invalid_grant' } });
      const response = await route.fetch();
      const answer = { ...(await response.json()), expires_in: Math.min(60, leftS) };
      newest = answer.access_token;
      return route.fulfill({ response, json: answer });
    });
    const page = await Page.open(person, url);
    await page.signInAs('bob');
    await page.run('JoinQueue');
    await page.untilLiveLineShows('it is your turn');
    await untilOnlyTheseRun(page, 'queuePosition', 'stockChanged');
    const stored = (name) => page.tab.evaluate((key) => JSON.parse(sessionStorage['onsale.session'] ?? '{}')[key], name);
    elapsedS = 30;
    await page.tab.clock.pauseAt((await stored('expiresAt')) - 30_000);
    while (elapsedS < 140 && (await stored('accessToken'))) {
      const before = askedAtS.length;
      elapsedS += 0.5;
      await page.tab.clock.runFor(500);
      // A request that the page has just sent arrives before this one.
      await page.tab.evaluate(() => fetch('/livez').then((answer) => answer.text()));
      if (askedAtS.length > before && elapsedS < 120) {
        await page.tab.waitForFunction((token) => sessionStorage['onsale.session'].includes(token), newest);
      }
    }
    await page.tab.clock.resume();
    await page.tab.getByRole('button', { name: 'alice' }).waitFor();
    await untilOnlyTheseRun(page, 'stockChanged');
    const before = await countSubscribes(page, 'queuePosition');
    await page.passHalfAMinute();
    browser.dropErrors('400 (Bad Request)');
    const { id } = (await page.runElsewhere(FIND_CONCERT, newest)).concert;
    await page.runElsewhere(`mutation { leaveQueue(input: { concertId: "${id}" }) { __typename } }`, newest);
    const pausesS = askedAtS.slice(1).map((atS, index) => atS - askedAtS[index]);
    return {
      requests: askedAtS.length,
      shortestPauseS: Math.floor(Math.min(...pausesS)),
      subscribedAgain: (await countSubscribes(page, 'queuePosition')) - before,
    };
  },

  async usingANarrowWindow(browser, url) {
    const page = await Page.open(await browser.openPerson({ viewport: { width: 760, height: 900 } }), url);
    await page.signInAs('olivia');
    await browser.screenshot(page.tab, 'narrow');
    return { signedIn: await page.signedIn() };
  },
};
