// The waiting room: a place is kept, and the call arrives wherever the person looks.
import { announcements } from '../../../e2e/browser/audits.mjs';
import { Api } from '../api.mjs';
import { Buyer } from '../buyer.mjs';
import { hide, prepareHiding, show } from '../hiding.mjs';

// One person at a time may choose tickets, so everyone else waits.
export const ONE_AT_A_TIME = { totalActiveUsers: 1, passClaimTimeoutSeconds: 1_200, sessionDurationSeconds: 1_200 };

// Opens a concert with `ahead` people between the one who was called, buyer1, and the buyer.
export async function openQueue(url, title, ahead) {
  const api = new Api(url);
  const concert = await api.openConcert(title, { room: ONE_AT_A_TIME });
  await api.fillQueue(concert, ahead + 1);
  const leave = (number) => api.mutate(`buyer${number}`, 'leaveQueue', { concertId: concert.id });
  return { api, concert, leave };
}

export const queue = {
  async waitingInAHiddenTab(browser, url) {
    const { concert, leave } = await openQueue(url, 'Forty people', 39);
    const buyer = await Buyer.open(browser, url, { name: 'alice' });
    await prepareHiding(buyer.context);
    await buyer.goto(`${concert.path}/queue`);
    await buyer.untilPosition(40);
    await hide(buyer.tab);
    const titles = await watchTitle(buyer.tab);
    for (let number = 2; number <= 40; number += 1) {
      await leave(number);
      await buyer.untilTitle(`${41 - number} in the queue`);
    }
    await leave(1);
    await buyer.untilTitle('Your turn!');
    const positions = (await titles()).map((title) => Number.parseInt(title, 10)).filter((one) => !Number.isNaN(one));
    await show(buyer.tab);
    await buyer.untilCalled();
    await buyer.screenshot('called-in-a-hidden-tab');
    const said = await announcements(buyer.tab);
    const calls = said.filter(({ politeness }) => politeness === 'assertive');
    const spoken = said.filter(({ text }) => /position \d+/.test(text));
    return {
      positions,
      calls: calls.map(({ text }) => text.slice(0, 'It is your turn!'.length)),
      // Positions are spoken politely, and far less often than they change.
      positionsAreSpokenRarely: spoken.length < positions.length / 3,
      allPositionsArePolite: spoken.every(({ politeness }) => politeness === 'polite'),
    };
  },

  async keepingThePlace(browser, url) {
    const { concert } = await openQueue(url, 'Three people', 2);
    const buyer = await Buyer.open(browser, url, { name: 'bob' });
    await buyer.goto(`${concert.path}/queue`);
    await buyer.untilPosition(3);
    await buyer.tab.reload();
    await buyer.untilPosition(3);
    const phone = await Buyer.open(browser, url, { name: 'bob', viewport: { width: 360, height: 640 } });
    await phone.goto(`${concert.path}/queue`);
    await phone.untilPosition(3);
    const other = await buyer.openTab(`${concert.path}/queue`);
    await other.untilPosition(3);
    return { positions: [await buyer.position(), await phone.position(), await other.position()] };
  },

  // Two people want the last ticket, and press the button at the same time.
  async racingForTheLastTicket(browser, url) {
    const api = new Api(url);
    const tiers = [{ name: 'Standing', priceMinor: 3_200, capacity: 1 }];
    const concert = await api.openConcert('The last ticket', { tiers });
    const people = await Promise.all(['buyer811', 'buyer812'].map((name) => Buyer.open(browser, url, { name })));
    for (const person of people) {
      await person.goto(`${concert.path}/tickets`);
      await person.choose('Standing', 1);
    }
    await Promise.all(people.map((person) => person.press('Hold these tickets')));
    const ends = await Promise.all(
      people.map(async ({ tab }) => {
        const held = tab.getByRole('heading', { name: 'Your tickets are held' });
        const soldOut = tab.getByText(/The last ticket .* has just gone/).first();
        await held.or(soldOut).first().waitFor();
        return (await held.isVisible()) ? 'held' : 'sold out';
      }),
    );
    await Promise.all(people.map((person, number) => person.screenshot(`last-ticket-${number}`)));
    const { available, held } = await api.stock(concert);
    return { ends: ends.sort(), available, held };
  },
};

// Records each title of the document, also while it is hidden. Returns a function that reads the record.
async function watchTitle(tab) {
  await tab.evaluate(() => {
    window.onsaleTitles = [];
    new MutationObserver(() => window.onsaleTitles.push(document.title)).observe(document.head, {
      subtree: true,
      childList: true,
      characterData: true,
    });
  });
  return () => tab.evaluate(() => window.onsaleTitles);
}
