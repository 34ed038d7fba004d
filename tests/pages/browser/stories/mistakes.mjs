// People type, click and go where they should not. They read what to do, and nothing is lost.
import { Api } from '../api.mjs';
import { Buyer } from '../buyer.mjs';
import { dropConnectionErrors } from './outages.mjs';

// Opens the choice of tickets of a new concert without a waiting room.
async function openChoice(browser, url, title, name, changes = {}) {
  const api = new Api(url);
  const concert = await api.openConcert(title, changes);
  const buyer = await Buyer.open(browser, url, { name });
  await buyer.goto(`${concert.path}/tickets`);
  await buyer.heading('Choose your tickets');
  return { api, concert, buyer };
}

// Fills in the contact data, and returns the texts of the errors beside the two fields.
async function tryContacts(buyer, name, email) {
  await buyer.field('Name').fill(name);
  await buyer.field('Email').fill(email);
  await buyer.press('Continue to payment');
  const errorOf = async (label) => {
    const field = buyer.field(label);
    if ((await field.getAttribute('aria-invalid')) !== 'true') return null;
    return field.evaluate((input) =>
      (input.getAttribute('aria-describedby') ?? '')
        .split(' ')
        .map((id) => document.getElementById(id)?.textContent ?? '')
        .join(' ')
        .trim(),
    );
  };
  const visible = (text) => text.replaceAll(/[\s\u00ad\u200b]/g, '');
  const shows = async (label, typed) => visible(await buyer.field(label).inputValue()) === visible(typed);
  const isFocused = (label) => buyer.field(label).evaluate((input) => input === document.activeElement);
  await buyer.tab.waitForFunction(() => document.activeElement?.getAttribute('aria-invalid') === 'true');
  return {
    name: Boolean(await errorOf('Name')),
    email: Boolean(await errorOf('Email')),
    focused: (await isFocused('Name')) ? 'name' : (await isFocused('Email')) ? 'email' : null,
    // The page may clean what was typed, but drops nothing that can be seen.
    kept: (await shows('Name', name)) && (await shows('Email', email)),
  };
}

export const mistakes = {
  async fillingInWrongContacts(browser, url) {
    const { api, buyer } = await openChoice(browser, url, 'Wrong contacts', 'buyer841');
    await buyer.choose('Standing', 1);
    await buyer.holdTickets();
    const tries = {
      empty: await tryContacts(buyer, '', ''),
      wrong: await tryContacts(buyer, 'Ann Example', 'ann at example'),
      tooLong: await tryContacts(buyer, 'x'.repeat(300), `${'x'.repeat(300)}@onsale.example`),
      invisible: await tryContacts(buyer, '\u200b\u00ad', 'ann@onsale.example'),
    };
    await buyer.screenshot('wrong-contacts');
    const ordersBefore = await api.countOrders('buyer841');
    await buyer.orderAs('\ufeff Ann\u00a0 Example\t', ' mailto:ann@onsale.example\u200b ');
    const query = '{ me { orders(first: 1) { nodes { customerName customerEmail } } } }';
    const [order] = (await api.ask('buyer841', query)).me.orders.nodes;
    return { tries, ordersBefore, order };
  },

  // The price rises while the buyer chooses, and again after the tickets are held.
  async meetingAChangedPrice(browser, url) {
    const { api, concert, buyer } = await openChoice(browser, url, 'Changed price', 'buyer842');
    const raise = (priceMinor) =>
      api.mutate('olivia', 'updateConcert', { concertId: concert.id, tiers: [{ tierId: concert.tiers[0].id, priceMinor }] });
    await buyer.choose('Standing', 2);
    await buyer.sees('€64');
    await raise(3_900);
    await buyer.sees('€78');
    await buyer.screenshot('changed-price');
    await buyer.holdTickets();
    await raise(5_000);
    await buyer.orderAs('Ann Example', 'ann@onsale.example');
    await buyer.payWith();
    await buyer.untilFulfilled();
    return { paid: (await api.orderOf('buyer842')).total.minor };
  },

  async clickingTwice(browser, url) {
    const { api, concert, buyer } = await openChoice(browser, url, 'Two clicks', 'buyer843');
    await buyer.choose('Standing', 2);
    await buyer.button('Hold these tickets').dblclick();
    await buyer.heading('Your tickets are held');
    await buyer.field('Name').fill('Ann Example');
    await buyer.field('Email').fill('ann@onsale.example');
    await buyer.button('Continue to payment').dblclick();
    await buyer.heading('Pay for your tickets');
    await buyer.button(/^Pay /).dblclick();
    await buyer.untilFulfilled();
    const { available, held, sold } = await api.stock(concert);
    return { orders: await api.countOrders('buyer843'), available, held, sold };
  },

  async goingBack(browser, url) {
    const api = new Api(url);
    const concert = await api.openConcert('Back and forth');
    const buyer = await Buyer.open(browser, url, { name: 'buyer844' });
    const back = () => buyer.tab.goBack();
    await buyer.goto('/');
    await buyer.findConcert(concert);
    await back();
    await buyer.heading('Concerts');
    await buyer.tab.goForward();
    await buyer.heading(concert.name);
    await buyer.press('Choose tickets');
    await buyer.heading('Choose your tickets');
    await buyer.choose('Standing', 2);
    await back();
    await buyer.heading(concert.name);
    await buyer.tab.goForward();
    await buyer.heading('Choose your tickets');
    await buyer.sees('€64');
    await buyer.holdTickets();
    await back();
    await buyer.heading(concert.name);
    await buyer.tab.goForward();
    await buyer.heading('Your tickets are held');
    await buyer.orderAs('Ann Example', 'ann@onsale.example');
    await back();
    await buyer.press(/pay/i);
    await buyer.heading('Pay for your tickets');
    await buyer.payWith();
    await buyer.untilFulfilled();
    await back();
    await buyer.heading(/./);
    const { held, sold } = await api.stock(concert);
    return { orders: await api.countOrders('buyer844'), held, sold };
  },

  // Tickets are held in one tab and paid in another one; both show the same.
  async usingTwoTabs(browser, url) {
    const { api, concert, buyer } = await openChoice(browser, url, 'Two tabs', 'buyer845');
    const other = await buyer.openTab(`${concert.path}/tickets`);
    await other.heading('Choose your tickets');
    await buyer.choose('Standing', 2);
    await buyer.holdTickets();
    await other.heading('Your tickets are held');
    await other.orderAs('Ann Example', 'ann@onsale.example');
    await buyer.sees(/pay/i);
    await other.payWith();
    await other.untilFulfilled();
    const { held, sold } = await api.stock(concert);
    return { orders: await api.countOrders('buyer845'), held, sold };
  },

  async holdingWhileOffline(browser, url) {
    const { api, concert, buyer } = await openChoice(browser, url, 'Offline', 'buyer846');
    await buyer.choose('Standing', 2);
    await buyer.context.setOffline(true);
    await buyer.press('Hold these tickets');
    await buyer.sees(/offline|connection/i);
    await buyer.sees('€64');
    await buyer.screenshot('holding-while-offline');
    await buyer.context.setOffline(false);
    const held = buyer.tab.getByRole('heading', { level: 1, name: 'Your tickets are held' });
    const again = buyer.button('Hold these tickets');
    await held.or(again).first().waitFor();
    if (await again.isVisible()) await again.click();
    await held.waitFor();
    dropConnectionErrors(browser);
    return { held: (await api.stock(concert)).held };
  },

  // Returns the headings of pages about things that are gone, not yet there, or not the buyer's.
  async followingBadLinks(browser, url) {
    const api = new Api(url);
    const draft = await api.draftConcert('A draft');
    const closed = await api.openConcert('A closed concert');
    await api.mutate('olivia', 'closeConcert', { concertId: closed.id });
    const canceled = await api.openConcert('A canceled concert');
    await api.mutate('olivia', 'cancelConcert', { concertId: canceled.id });
    const salesStartAt = new Date(Date.now() + 3_600_000).toISOString();
    const later = await api.openConcert('A later sale', { salesStartAt });
    const open = await api.openConcert('An open concert');
    const notMine = await api.buy('buyer847', open, 1);
    const buyer = await Buyer.open(browser, url, { name: 'buyer848' });
    const seen = {};
    const concerts = { draft, closed, canceled, later, unknown: { path: '/concerts/no-such-concert' } };
    for (const [name, { path }] of Object.entries(concerts)) {
      for (const rest of ['', '/queue', '/tickets']) seen[`${name}${rest}`] = await readHeading(buyer, path + rest);
    }
    for (const id of [notMine.id, 'T3JkZXI6eA', '%00']) {
      for (const rest of ['', '/pay']) {
        await buyer.goto(`/orders/${id}${rest}`);
        await buyer.sees(/This order does not exist, or it is not yours/);
      }
    }
    seen['/nowhere'] = await readHeading(buyer, '/nowhere');
    seen['/tickets/accept'] = await readHeading(buyer, '/tickets/accept');
    await readHeading(buyer, '/tickets/accept#changed');
    await buyer.sees('This ticket cannot be accepted');
    dropConnectionErrors(browser);
    return seen;
  },

  async searchingForNonsense(browser, url) {
    const buyer = await Buyer.open(browser, url);
    await buyer.goto('/');
    const search = buyer.tab.getByRole('searchbox');
    const nothing = buyer.tab.getByText('No matching concerts').first();
    await search.fill('no such band anywhere');
    await nothing.waitFor();
    await search.fill('xq '.repeat(300));
    await nothing.waitFor();
    await buyer.screenshot('searching-for-nonsense');
    await buyer.press('Show all concerts');
    await nothing.waitFor({ state: 'hidden' });
    await search.fill('  \u200bLANTERN\u00a0férry ');
    await buyer.main.getByRole('link', { name: /The Lantern Ferry/ }).waitFor();
    return { left: await search.inputValue() };
  },

  async passingATicketToNoOne(browser, url) {
    const api = new Api(url);
    const concert = await api.openConcert('Passed on');
    await api.buy('buyer849', concert, 1);
    const buyer = await Buyer.open(browser, url, { name: 'buyer849' });
    await buyer.goto('/tickets');
    await buyer.press(/^Pass on ticket/);
    const dialog = buyer.tab.getByRole('dialog', { name: 'Pass this ticket on' });
    const send = async (address) => {
      await dialog.getByRole('textbox').fill(address);
      await dialog.getByRole('button', { name: 'Send the link' }).click();
    };
    await send('');
    await dialog.getByText('Enter the recipient’s email address.').waitFor();
    await send('bob at example');
    await dialog.getByText('Enter a valid email address', { exact: false }).waitFor();
    await send(' bob@onsale.example\u00a0');
    await buyer.sees('Offered to bob@onsale.example');
    await buyer.press('Withdraw the offer');
    await buyer.tab.getByText('Offered to bob@onsale.example').first().waitFor({ state: 'hidden' });
    return {};
  },
};

// Opens a page, and returns its heading when it has one.
async function readHeading(buyer, path) {
  await buyer.goto(path);
  const heading = buyer.main.getByRole('heading', { level: 1 });
  await heading.filter({ hasText: /\S/ }).first().waitFor();
  return heading.first().textContent();
}
