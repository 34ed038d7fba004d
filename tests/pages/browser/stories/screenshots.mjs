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
const POLL_MS = 50;

export const screenshots = {
  // Takes the first screen of each state, and the whole page if it is longer. Returns the number of
  // pictures, and the states that show nothing or more than fits, by language. English names find the
  // controls, so the language changes only for the pictures.
  async takingScreenshots(browser, url, { people, size, shots }) {
    let taken = 0;
    const faults = {};
    const look = async ({ tab }, state) => {
      for (const language of (await hasLanguages(tab)) ? LANGUAGES : ['en']) {
        await changeLanguage(tab, language);
        const found = await tab.evaluate(findFaults);
        if (found.length > 0) faults[`${state} ${language}`] = found;
        for (const colorScheme of THEMES) {
          await tab.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
          taken += await photograph(tab, `${shots}/${state}-${language}-${colorScheme}`);
        }
      }
      await changeLanguage(tab, 'en');
    };
    await visitEveryState(browser, url, { people, look, ...SIZES[size] });
    dropConnectionErrors(browser);
    return { taken, faults };
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
  const shoot = (name) => buyer.tab.screenshot({ path: `${shots}/${name}.png` });
  await buyer.goto('/');
  await buyer.main.getByText(/upcoming concerts?/).waitFor();
  await shoot('catalog');
  await buyer.tab.emulateMedia({ colorScheme: 'dark' });
  await buyer.goto(`${concert.path}/queue`);
  await buyer.tab.waitForFunction(() => / in the queue/.test(document.title));
  await shoot('queue');
  await buyer.tab.emulateMedia({ colorScheme: 'light' });
  await buyer.goto('/concerts/vesna-korda-paradiso/tickets');
  await buyer.heading('Choose your tickets');
  await buyer.choose('Floor standing', 2);
  await shoot('tickets');
}

async function photograph(tab, path) {
  await tab.evaluate(endAnimations);
  await tab.screenshot({ path: `${path}.png` });
  if (!(await tab.evaluate(showAll))) return 1;
  // `decode` waits for a frame, which a page in the background may never draw.
  await tab.waitForFunction(() => [...document.images].every((image) => image.complete), null, { polling: POLL_MS });
  await tab.screenshot({ path: `${path}-whole.png`, fullPage: true });
  await tab.evaluate(() => document.querySelector('.developer-bar')?.style.removeProperty('position'));
  return 2;
}

// Shows how each animation ends. After a picture of a whole page, Chromium may draw no frame in which
// it would end by itself.
function endAnimations() {
  for (const animation of document.getAnimations()) {
    if (animation.effect.getComputedTiming().endTime !== Infinity) animation.finish();
  }
}

// Loads the images of the whole page, and puts the developer bar below it. Returns whether the page is
// longer than the screen; one behind a dialog is not looked at.
function showAll() {
  const { scrollHeight, clientHeight } = document.documentElement;
  if (document.querySelector('dialog:modal') || scrollHeight <= clientHeight) return false;
  document.querySelector('.developer-bar')?.style.setProperty('position', 'static');
  for (const image of document.images) image.loading = 'eager';
  return true;
}

// Finds what no picture may show: an empty page, one that is wider than the screen, words that are cut off.
function findFaults() {
  const root = document.documentElement;
  const main = document.querySelector('main');
  const faults = [];
  if (!main?.innerText.trim()) faults.push('empty');
  if (root.scrollWidth > root.clientWidth) faults.push(`${root.scrollWidth} px wide`);
  const clips = (element) => element.clientWidth > 1 && getComputedStyle(element).overflowX !== 'visible';
  for (const element of document.querySelectorAll('body *:not(select, input, textarea, iframe)')) {
    if (clips(element) && element.scrollWidth > element.clientWidth) faults.push(element.outerHTML.slice(0, 160));
  }
  return faults;
}

const languageChoice = (tab) => tab.locator('select').filter({ has: tab.locator('option[value="ar"]') });

// Plain pages, such as the login, have one language.
async function hasLanguages(tab) {
  return (await languageChoice(tab).count()) > 0;
}

async function changeLanguage(tab, language) {
  if (!(await hasLanguages(tab))) return;
  await languageChoice(tab).first().selectOption(language);
  await tab.waitForFunction((wanted) => document.documentElement.lang === wanted, language);
}
