// What people do on GraphiQL's page. Each story returns what it saw; the test says what that has to be.
import { Page } from './page.mjs';
import { countSubscribes, recordSockets, runningFields, untilOnlyTheseRun } from './sockets.mjs';

const FIND_CONCERT = '{ concert(slug: "lantern-ferry-royal-albert-hall") { id } }';

// Bob, on a page whose clock can be moved and whose sockets are recorded.
async function openAsBob(browser, url) {
  const person = await browser.person();
  await recordSockets(person);
  await person.clock.install();
  const page = await Page.open(person, url);
  await page.signInAs('bob');
  const { id } = (await page.runElsewhere(FIND_CONCERT)).concert;
  const inQueue = (verb) => `mutation { ${verb}(input: { concertId: "${id}" }) { __typename } }`;
  return {
    page,
    joinElsewhere: () => page.runElsewhere(inQueue('joinQueue')),
    leaveElsewhere: () => page.runElsewhere(inQueue('leaveQueue')),
  };
}

export const stories = {
  async looking(browser, url) {
    const page = await Page.open(await browser.person(), url);
    const { data } = await page.run('Catalogue');
    await page.shows('"isOnSale": true');
    await browser.shot(page.tab, 'catalogue');
    const early = await page.run('Me');
    await page.openTab('HoldTickets');
    await page.start();
    await page.shows('There is no queue pass yet');
    await browser.shot(page.tab, 'no-pass-yet');
    await page.tab.getByRole('button', { name: 'Show Documentation Explorer' }).click();
    await page.tab.getByText('A GraphQL schema provides').waitFor();
    await browser.shot(page.tab, 'documentation');
    return { concerts: data.concerts.nodes.length, me: early.data.me };
  },

  async buying(browser, url) {
    const person = await browser.person();
    const page = await Page.open(person, url);
    const seen = { signedIn: await page.signInAs('alice') };
    seen.joined = typeof (await page.run('JoinQueue')).data.joinQueue.entry.number;
    await page.lineSays('it is your turn');
    await page.openTab('WatchMyPlace');
    await page.start();
    await page.shows('"state": "READY"', '"position": 0');
    await browser.shot(page.tab, 'watching-my-place');
    seen.admitted = (await page.run('ClaimPass')).data.claimQueuePass.entry.state;
    seen.held = (await page.run('HoldTickets')).data.holdTickets.hold.state;
    await page.shows('"quantity": 2');
    await browser.shot(page.tab, 'holding');
    seen.bought = (await page.run('BuyTickets')).data.purchaseTickets.order.status;
    await page.lineSays('you have bought');
    await browser.shot(page.tab, 'bought');
    const { me } = (await page.run('Me')).data;
    seen.orders = me.orders.nodes.length;
    return seen;
  },

  // One watches the stock, another one buys: in two windows of two people.
  async watching(browser, url) {
    const watcher = await Page.open(await browser.person({ colorScheme: 'dark' }), url);
    await watcher.openTab('WatchStock');
    await watcher.start();
    await watcher.shows('"held": 0', '"soldOut": false');
    const sold = await watcher.firstNumber('sold');
    const buyer = await Page.open(await browser.person(), url);
    await buyer.signInAs('bob');
    await buyer.run('JoinQueue');
    await buyer.lineSays('it is your turn');
    await buyer.run('ClaimPass');
    await buyer.run('HoldTickets');
    await watcher.shows('"held": 2');
    const held = await watcher.firstNumber('held');
    await watcher.lineSays('tickets left');
    await browser.shot(watcher.tab, 'watching-the-stock-in-the-dark');
    await buyer.run('BuyTickets');
    await watcher.shows(`"sold": ${sold + 2}`);
    const { nodes } = (await buyer.runElsewhere('{ me { orders(first: 1) { nodes { customerName customerEmail } } } }')).me.orders;
    return { held, sold: (await watcher.firstNumber('sold')) - sold, buyer: nodes[0] };
  },

  // One runs the room, another one waits in it and reads on the page what happens to the queue.
  async running(browser, url) {
    const olivia = await Page.open(await browser.person(), url);
    const carol = await Page.open(await browser.person(), url);
    await olivia.signInAs('olivia');
    const seen = { paused: (await olivia.run('PauseRoom')).data.pauseWaitingRoom.waitingRoom.status };
    await olivia.lineSays('paused · 0 waiting');
    await carol.signInAs('carol');
    await carol.run('JoinQueue');
    await carol.lineSays('position 1 of 1 · paused; you keep your place');
    await olivia.lineSays('paused · 1 waiting');
    await browser.shot(carol.tab, 'paused');
    await olivia.run('ConfigureRoom');
    await carol.lineSays('Bring an umbrella');
    seen.emptied = (await olivia.run('ResetRoom')).data.resetWaitingRoom.waitingRoom.waitingCount;
    await carol.lineSays('you lost your place: the organizer reset the queue');
    await carol.run('JoinQueue');
    seen.called = (await olivia.run('AdmitNext')).data.admitNext.call.called;
    await carol.lineSays('it is your turn: claim your pass before');
    seen.resumed = (await olivia.run('ResumeRoom')).data.resumeWaitingRoom.waitingRoom.status;
    await olivia.openTab('WatchTheRoom');
    await olivia.start();
    await olivia.shows('"status": "OPEN"', '"waitingCount": 0');
    await browser.shot(olivia.tab, 'watching-the-room');
    const { nodes } = (await olivia.run('RoomAudit')).data.waitingRoom.audit;
    seen.deeds = nodes.map(({ action, personName }) => `${personName} ${action}`);
    return seen;
  },

  // A place that ended does not come back by itself; only a reason makes the page look again.
  async losingAPlace(browser, url) {
    const { page, joinElsewhere, leaveElsewhere } = await openAsBob(browser, url);
    await joinElsewhere();
    await page.tab.reload();
    await page.lineSays('it is your turn');
    await leaveElsewhere();
    await page.lineSays('you left the queue');
    await untilOnlyTheseRun(page, 'stockChanged');
    const seen = { whenItEnded: await countSubscribes(page, 'queuePosition') };
    await page.passHalfAMinute();
    seen.halfAMinuteLater = await countSubscribes(page, 'queuePosition');
    await page.run('JoinQueue');
    await page.lineSays('it is your turn');
    await page.passHalfAMinute();
    seen.onceJoinedAgain = await countSubscribes(page, 'queuePosition');
    seen.running = await runningFields(page);
    await leaveElsewhere();
    return seen;
  },

  // Each person has one subscription of a kind, and whoever signed out has none.
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
      await page.lineSays('it is your turn');
      await page.passHalfAMinute();
      subscribes.push(await countSubscribes(page, 'queuePosition'));
    }
    const seen = { subscribes, signedIn: await runningFields(page) };
    await leaveElsewhere();
    await untilOnlyTheseRun(page, 'stockChanged');
    await page.signOut();
    await untilOnlyTheseRun(page, 'stockChanged');
    await page.passHalfAMinute();
    seen.inTheEnd = await countSubscribes(page, 'queuePosition');
    seen.signedOut = await runningFields(page);
    return seen;
  },

  // The server refuses to show the stock, and goes on refusing: the page asks more and more rarely.
  async beingRefused(browser, url) {
    const person = await browser.person();
    await person.clock.install();
    let attempts = 0;
    let reportAttempt = () => undefined;
    await person.routeWebSocket('**/graphql', (socket) => {
      socket.onMessage((text) => {
        const { id, type } = JSON.parse(text);
        if (type === 'connection_init') socket.send(JSON.stringify({ type: 'connection_ack' }));
        if (type !== 'subscribe') return;
        attempts += 1;
        socket.send(JSON.stringify({ id, type: 'error', payload: [{ message: 'The store is away.' }] }));
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
    await page.run('Catalogue');
    await page.tab.clock.fastForward(10_000);
    await page.run('Catalogue');
    return { withinTenSeconds: attempts - before };
  },

  // The server goes away, then a proxy answers in its place: the page says so in words, without a stack.
  async losingTheServer(browser, url) {
    const person = await browser.person();
    const page = await Page.open(person, url);
    await page.openTab('BuyTickets');
    await page.start();
    await page.shows('There is no name of yours: sign in above first');
    await person.route('**/graphql', (route) => route.abort('connectionrefused'));
    await person.route('**/openid-configuration', (route) => route.abort('connectionrefused'));
    await page.openTab('Catalogue');
    await page.start();
    await page.shows('The server cannot be reached. Check that it runs');
    const shown = [await page.result()];
    await browser.shot(page.tab, 'losing-the-server');
    await page.tab.getByRole('button', { name: 'alice', exact: true }).click();
    await page.tab.getByRole('alert').getByText('The issuer cannot be reached').waitFor();
    await person.route('**/graphql', (route) => route.fulfill({ status: 502, body: '<h1>Bad Gateway</h1>' }));
    await page.start();
    await page.shows('answered with status 502');
    shown.push(await page.result());
    browser.forgive('net::ERR_CONNECTION_REFUSED');
    browser.forgive('502 (Bad Gateway)');
    return { stacks: shown.filter((text) => text.includes('stack')).length };
  },

  async loggingIn(browser, url) {
    const page = await Page.open(await browser.person({ colorScheme: 'dark' }), url);
    const seen = { signedIn: await page.signInOnThePageOfTheIssuer('carol') };
    seen.me = (await page.run('Me')).data.me.name;
    await browser.shot(page.tab, 'carol-in-the-dark');
    await page.tab.reload();
    seen.afterReload = await page.signedIn();
    await page.tab.getByRole('button', { name: 'Sign out' }).click();
    await page.tab.getByText('You are signed out').or(page.tab.getByRole('button', { name: 'alice' })).waitFor();
    await browser.shot(page.tab, 'signed-out');
    await page.tab.goto(`${url}/graphql`);
    await page.tab.getByRole('button', { name: 'alice' }).waitFor();
    return seen;
  },

  // The issuer says that its tokens end soon; then that the session is over.
  async renewing(browser, url) {
    const person = await browser.person();
    const grants = [];
    await person.route('**/protocol/openid-connect/token', async (route) => {
      const grant = new URLSearchParams(route.request().postData()).get('grant_type');
      grants.push(grant);
      if (grants.length > 2) return route.fulfill({ status: 400, json: { error: 'invalid_grant' } });
      const response = await route.fetch();
      return route.fulfill({ response, json: { ...(await response.json()), expires_in: 61 } });
    });
    const page = await Page.open(person, url);
    const signedIn = await page.signInAs('alice');
    const me = (await page.run('Me')).data.me.name;
    await page.tab.getByRole('button', { name: 'alice' }).waitFor();
    browser.forgive('400 (Bad Request)');
    return { signedIn, me, grants };
  },

  async narrow(browser, url) {
    const page = await Page.open(await browser.person({ viewport: { width: 760, height: 900 } }), url);
    await page.signInAs('olivia');
    await browser.shot(page.tab, 'narrow');
    return { signedIn: await page.signedIn() };
  },
};
