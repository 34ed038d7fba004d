// Uses the API directly, as other programs of the demo people do: olivia's tools, and other buyers.
const HOUR_MS = 3_600_000;
const MAILBOX = '/dev/mailbox';
const MAIL_POLL_MS = 250;
const MAIL_ATTEMPTS = 240;
const SUCCESS = /Success$/;
// A store that has just been started again refuses changes for a few seconds.
const MOST_TRIES = 30;
const CLIENT = { grant_type: 'password', client_id: 'onsale-web', scope: 'openid' };

export class Api {
  #tokens = new Map();

  constructor(url) {
    this.url = url;
  }

  // Sends a document as a person, or as a visitor who is not signed in. Fails if it has errors.
  async ask(name, query, variables = {}) {
    const headers = { 'Content-Type': 'application/json' };
    if (name) headers.Authorization = `Bearer ${await this.token(name)}`;
    const answer = await fetch(`${this.url}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
    const { data, errors } = await answer.json();
    if (errors) throw new Error(`${query} was answered with ${JSON.stringify(errors)}`);
    return data;
  }

  // Sends a mutation with one input, and returns the members of its success. Repeats it after a refusal
  // that asks for it, and fails after any other.
  async mutate(name, field, input, members = '__typename') {
    const type = field[0].toUpperCase() + field.slice(1);
    const query = `mutation ($input: ${type}Input!) { ${field}(input: $input) {
      __typename ... on ${type}Success { ${members} }
      ... on DomainError { code message retryable retryAfterSeconds } } }`;
    for (let tries = 1; ; tries += 1) {
      const result = (await this.ask(name, query, { input }))[field];
      if (SUCCESS.test(result.__typename)) return result;
      if (!result.retryable || tries === MOST_TRIES) throw new Error(`${field} was refused: ${JSON.stringify(result)}`);
      await after((result.retryAfterSeconds ?? 1) * 1_000);
    }
  }

  async token(name) {
    if (!this.#tokens.has(name)) {
      const body = new URLSearchParams({ ...CLIENT, username: name, password: name });
      const answer = await fetch(`${this.url}/realms/onsale/protocol/openid-connect/token`, { method: 'POST', body });
      this.#tokens.set(name, (await answer.json()).access_token);
    }
    return this.#tokens.get(name);
  }

  // Creates a concert of olivia's that is on sale, unless `changes` say otherwise.
  async openConcert(name, changes = {}) {
    const concert = await this.draftConcert(name, changes);
    await this.mutate('olivia', 'publishConcert', { concertId: concert.id });
    return concert;
  }

  async draftConcert(name, changes = {}) {
    const members = 'concert { id slug name tiers { id name } }';
    const { concert } = await this.mutate('olivia', 'createConcert', concertInput(name, changes), members);
    return { ...concert, path: `/concerts/${concert.slug}` };
  }

  async findConcert(slug) {
    const query = 'query ($slug: String!) { concert(by: {slug: $slug}) { id slug name tiers { id name } } }';
    return { ...(await this.ask(null, query, { slug })).concert, path: `/concerts/${slug}` };
  }

  async configureRoom(concert, settings) {
    await this.mutate('olivia', 'configureWaitingRoom', { concertId: concert.id, settings });
  }

  async joinQueue(name, concert) {
    return (await this.mutate(name, 'joinQueue', { concertId: concert.id }, 'entry { id state number position }')).entry;
  }

  // Puts people into the queue, `buyer<first>` and those that follow, in this order.
  async fillQueue(concert, count, first = 1) {
    for (let number = first; number < first + count; number += 1) await this.joinQueue(`buyer${number}`, concert);
  }

  async hold(name, concert, quantity, more = {}) {
    const lines = [{ tierId: concert.tiers[0].id, quantity }];
    const input = { concertId: concert.id, lines, idempotencyKey: crypto.randomUUID(), ...more };
    return (await this.mutate(name, 'holdTickets', input, 'hold { id }')).hold;
  }

  // Buys and pays tickets, and returns the order when it is paid.
  async buy(name, concert, quantity) {
    const input = {
      concertId: concert.id,
      lines: [{ tierId: concert.tiers[0].id, quantity }],
      customerName: `${name} Demo`,
      customerEmail: `${name}@onsale.example`,
      idempotencyKey: crypto.randomUUID(),
    };
    const bought = await this.mutate(name, 'purchaseTickets', input, 'order { id payment { testPaymentUrl } }');
    const body = new URLSearchParams({ payment_method: 'pm_card_visa' });
    await fetch(bought.order.payment.testPaymentUrl, { method: 'POST', body });
    await this.mutate(name, 'syncOrderPayment', { orderId: bought.order.id });
    return bought.order;
  }

  async orderOf(name) {
    const { me } = await this.ask(name, '{ me { orders(first: 1) { nodes { id number status customerName total { minor } } } } }');
    return me.orders.nodes[0];
  }

  async firstTicketOf(name) {
    return (await this.ask(name, '{ me { tickets(first: 1) { nodes { id concert { name } } } } }')).me.tickets.nodes[0];
  }

  // Returns the address of the offer of a ticket, without its origin, as soon as its mail was sent.
  async transferLink(email) {
    const read = async (path) => (await fetch(this.url + path)).text();
    for (let attempt = 0; attempt < MAIL_ATTEMPTS; attempt += 1) {
      for (const [, mail] of (await read(MAILBOX)).matchAll(/href="(\/dev\/mailbox\/\w+)"/g)) {
        const text = await read(mail);
        const [, link] = /href="[^"]+(\/tickets\/accept#[^"]+)"/.exec(text) ?? [];
        if (link && text.includes(email)) return link;
      }
      await new Promise((resolve) => setTimeout(resolve, MAIL_POLL_MS));
    }
    throw new Error(`no mail with a link was sent to ${email}`);
  }

  async countOrders(name) {
    return (await this.ask(name, '{ me { orders(first: 100) { nodes { id } } } }')).me.orders.nodes.length;
  }

  async stock(concert) {
    const query = 'query ($id: ID!) { concert(by: {id: $id}) { stock { tiers { available held sold } } } }';
    return (await this.ask(null, query, { id: concert.id })).concert.stock.tiers[0];
  }
}

function after(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

let number = 0;

function concertInput(name, { room, ...changes }) {
  const now = Date.now();
  number += 1;
  return {
    name,
    slug: `${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}-${now.toString(36)}-${number}`,
    venue: { name: 'Paradiso', city: 'Amsterdam', country: 'NL', timeZone: 'Europe/Amsterdam' },
    description: 'An evening for the tests of the pages.',
    startsAt: new Date(now + 72 * HOUR_MS).toISOString(),
    salesStartAt: new Date(now - HOUR_MS).toISOString(),
    salesEndAt: new Date(now + 48 * HOUR_MS).toISOString(),
    refundsUntil: new Date(now + 48 * HOUR_MS).toISOString(),
    currency: 'EUR',
    tiers: [
      { name: 'Standing', priceMinor: 3200, capacity: 100 },
      { name: 'Balcony', priceMinor: 4800, capacity: 50 },
    ],
    ...(room ? { waitingRoom: { suspended: false, ...room } } : {}),
    ...changes,
  };
}
