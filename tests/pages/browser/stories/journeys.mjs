// Whole journeys from the catalog to the tickets, by mouse, with a finger, and by keyboard only.
import { Api } from '../api.mjs';
import { Buyer, PHONE } from '../buyer.mjs';
import { finger, keyboard, mouse } from '../hands.mjs';
import { audit } from '../../../e2e/browser/audits.mjs';

const ROOM = { totalActiveUsers: 10, passClaimTimeoutSeconds: 600, sessionDurationSeconds: 1_200 };

// Goes from the catalog through the waiting room to the PDF. Calls `look` with the name of each step.
export async function buyTickets(buyer, concert, { name, look = async () => undefined }) {
  await buyer.goto('/');
  await buyer.heading(/./);
  await look('catalog');
  await buyer.findConcert(concert);
  await look('concert');
  await buyer.press('Sign in to join the queue');
  await buyer.fillInLogin(name);
  await buyer.heading(concert.name);
  await buyer.joinQueue();
  await buyer.untilCalled();
  await look('turn');
  await buyer.enterShop();
  await buyer.choose('Standing', 2);
  await look('choice');
  await buyer.holdTickets();
  await look('hold');
  await buyer.orderAs(`${name} Demo`, `${name}@onsale.example`);
  await look('checkout');
  await buyer.payWith('Declined');
  await buyer.sees('The payment was declined');
  buyer.browser.dropErrors('a status of 402'); // the sandbox declines a card with it, as Stripe does
  await look('declined');
  await buyer.payWith('Succeeds');
  await buyer.untilFulfilled();
  await look('order');
  return buyer.downloadPdf();
}

async function journey(browser, url, { name, hands, look = () => async () => undefined, ...options }) {
  const api = new Api(url);
  const concert = await api.openConcert(`An evening for ${name}`, { room: ROOM });
  const buyer = await Buyer.open(browser, url, { hands, ...options });
  const pdf = await buyTickets(buyer, concert, { name, look: look(buyer) });
  const order = await api.orderOf(name);
  const { available, sold } = await api.stock(concert);
  return { pdf, status: order.status, paid: order.total.minor, available, sold };
}

export const journeys = {
  buyingByMouse: (browser, url) => journey(browser, url, { name: 'buyer801', hands: mouse }),

  buyingByKeyboard: (browser, url) => journey(browser, url, { name: 'buyer802', hands: keyboard }),

  async buyingOnAPhone(browser, url) {
    const tooWide = [];
    const look = (buyer) => async (step) => {
      if (await buyer.isTooWide()) tooWide.push(step);
      await buyer.screenshot(`phone-${step}`);
    };
    return { ...(await journey(browser, url, { name: 'buyer803', hands: finger, look, ...PHONE })), tooWide };
  },

  // The short form, which make test runs: the same journey, and the checks of axe in one theme.
  async buyingInShort(browser, url) {
    const faults = {};
    const look = (buyer) => async (step) => {
      const found = await audit(buyer.tab, ['light']);
      if (Object.values(found).some(({ length }) => length > 0)) faults[step] = found;
    };
    return { ...(await journey(browser, url, { name: 'buyer804', hands: mouse, look })), faults };
  },
};
