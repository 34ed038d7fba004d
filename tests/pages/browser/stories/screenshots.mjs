// Screenshots of every page and state, in both themes, three languages and two sizes.
import { Api } from '../api.mjs';
import { Buyer, DESKTOP, PHONE } from '../buyer.mjs';
import { visitEveryState } from '../states.mjs';
import { dropConnectionErrors } from './outages.mjs';

const THEMES = ['light', 'dark'];
const LANGUAGES = ['en', 'de', 'ar'];
const SIZES = { desktop: DESKTOP, phone: PHONE };
// The demo concert calls 120 people in a minute, so the next ones wait.
const PEOPLE_IN_FRONT = 150;
const FIRST_IN_FRONT = 1_000;

export const screenshots = {
  // English names find the controls, so the language changes only for the screenshot.
  async takingScreenshots(browser, url, { people, shots }) {
    let taken = 0;
    const look = async (buyer, state) => {
      for (const language of LANGUAGES) {
        await changeLanguage(buyer.tab, language);
        for (const colorScheme of THEMES) {
          await buyer.tab.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
          for (const [size, { viewport }] of Object.entries(SIZES)) {
            await buyer.tab.setViewportSize(viewport);
            await buyer.tab.screenshot({ path: `${shots}/${state}-${language}-${colorScheme}-${size}.png`, fullPage: true });
            taken += 1;
          }
        }
      }
      await changeLanguage(buyer.tab, 'en');
      await buyer.tab.setViewportSize(DESKTOP.viewport);
    };
    await visitEveryState(browser, url, { people, look });
    dropConnectionErrors(browser);
    return taken;
  },

  async takingPicturesForReadme(browser, url, given) {
    await photographForReadme(browser, url, given);
    return {};
  },
};

// Three pictures of the demo concerts: the catalog, a place in the queue, and a choice of tickets.
async function photographForReadme(browser, url, { shots }) {
  const api = new Api(url);
  const concert = await api.findConcert('lantern-ferry-royal-albert-hall');
  await api.fillQueue(concert, PEOPLE_IN_FRONT, FIRST_IN_FRONT);
  const buyer = await Buyer.open(browser, url, { name: 'alice', colorScheme: 'light', reducedMotion: 'reduce' });
  const photograph = (name) => buyer.tab.screenshot({ path: `${shots}/${name}.png` });
  await buyer.goto('/');
  await buyer.main.getByText(/upcoming concerts?/).waitFor();
  await photograph('catalog');
  await buyer.tab.emulateMedia({ colorScheme: 'dark' });
  await buyer.goto(`${concert.path}/queue`);
  await buyer.tab.waitForFunction(() => / in the queue/.test(document.title));
  await photograph('queue');
  await buyer.tab.emulateMedia({ colorScheme: 'light' });
  await buyer.goto('/concerts/vesna-korda-paradiso/tickets');
  await buyer.heading('Choose your tickets');
  await buyer.choose('Floor standing', 2);
  await photograph('tickets');
}

async function changeLanguage(tab, language) {
  const select = tab.locator('select').filter({ has: tab.locator(`option[value="${language}"]`) });
  if ((await select.count()) === 0) return; // the login page has one language
  await select.first().selectOption(language);
  await tab.waitForFunction((wanted) => document.documentElement.lang === wanted, language);
}
