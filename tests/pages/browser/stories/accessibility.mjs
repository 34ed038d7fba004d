// Every page in every state, for people who do not use a mouse, do not see, or do not want motion.
import { announcements, audit, findMotion } from '../../../e2e/browser/audits.mjs';
import { DESKTOP, PHONE } from '../buyer.mjs';
import { DEMO, visitEveryState } from '../states.mjs';
import { dropConnectionErrors } from './outages.mjs';

// Layout shifts that sum up to less count as good in the Core Web Vitals.
const GOOD_SHIFT = 0.1;
const PIECE_MS = 300;

export const accessibility = {
  // Returns what is wrong, by state. A state without faults is only counted.
  async auditingEveryState(browser, url, { people }) {
    const faults = {};
    let states = 0;
    const look = async (buyer, state) => {
      states += 1;
      const found = await audit(buyer.tab);
      for (const [kind, lines] of Object.entries(found)) if (lines.length > 0) faults[`${state}: ${kind}`] = lines;
    };
    await visitEveryState(browser, url, { people, look });
    dropConnectionErrors(browser);
    return { states, faults };
  },

  async auditingOnAPhone(browser, url, { people }) {
    const faults = {};
    const look = async (buyer, state) => {
      const isTooWide = await buyer.isTooWide();
      const small = await findSmallTargets(buyer.tab);
      if (isTooWide || small.length > 0) faults[state] = { isTooWide, small };
    };
    await visitEveryState(browser, url, { people, look, ...PHONE });
    dropConnectionErrors(browser);
    return { faults };
  },

  async reducingMotion(browser, url, { people }) {
    const moving = {};
    const calls = {};
    const look = async (buyer, state) => {
      const found = await findMotion(buyer.tab);
      if (found.length > 0) moving[state] = found;
      const said = await announcements(buyer.tab);
      const assertive = said.filter(({ politeness }) => politeness === 'assertive').map(({ text }) => text);
      if (state.startsWith('queue-') && assertive.length > 0) calls[state] = assertive;
    };
    await visitEveryState(browser, url, { people, look, reducedMotion: 'reduce' });
    dropConnectionErrors(browser);
    return { moving, calls: Object.keys(calls) };
  },

  // Loads pages whose parts arrive one after another, in all orders that a slow network may lead to.
  // Returns what has jumped by more than browsers call good.
  async loadingInPieces(browser, url) {
    const jumps = {};
    const forms = { desktop: DESKTOP, phone: PHONE };
    for (const path of ['/', DEMO]) {
      for (const [form, options] of Object.entries(forms)) {
        for (const hasAnswer of [true, false]) {
          const found = await findJumps(browser, url + path, options, hasAnswer);
          if (found.score > GOOD_SHIFT) jumps[`${path} ${form} ${hasAnswer}`] = found;
        }
      }
    }
    return jumps;
  },
};

// Returns the score of all shifts of the layout, as Chromium measures them, and what has moved. The texts
// arrive late, and the first answer either with the document or in a request that is slow.
async function findJumps(browser, address, options, hasAnswer) {
  const context = await browser.openPerson({ ...options, locale: 'en-GB' });
  const tab = await context.newPage();
  await tab.addInitScript(() => {
    window.onsaleJumps = [];
    const observer = new PerformanceObserver((list) => window.onsaleJumps.push(...list.getEntries()));
    observer.observe({ type: 'layout-shift', buffered: true });
  });
  const late = (ms) => async (route) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    await route.continue();
  };
  let texts = 0;
  await tab.route(/\/assets\/en-/, (route) => late((texts += 1) * PIECE_MS)(route));
  await tab.route('**/graphql', late(4 * PIECE_MS));
  if (!hasAnswer) await tab.addInitScript(removeFirstAnswer);
  await tab.goto(address);
  await tab.getByRole('heading', { level: 1 }).waitFor();
  await tab.waitForLoadState('networkidle');
  const jumps = await tab.evaluate(() =>
    window.onsaleJumps.map(({ value, sources }) => {
      return { value, moved: sources.map(({ node }) => node?.outerHTML?.slice(0, 80)) };
    }),
  );
  await context.close();
  return { score: jumps.reduce((sum, { value }) => sum + value, 0), moved: jumps.flatMap(({ moved }) => moved) };
}

// Runs in the page, while its document is read.
function removeFirstAnswer() {
  const remove = () => document.getElementById('first-answer')?.remove();
  new MutationObserver(remove).observe(document, { childList: true, subtree: true });
}

// Returns the buttons, fields and links outside of sentences that are lower or narrower than a finger.
async function findSmallTargets(tab) {
  return tab.evaluate(() => {
    const SMALLEST_PX = 44;
    return [...document.querySelectorAll('main button, main input, main select, header a, header button, main a')]
      .filter((element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
      .filter((element) => getComputedStyle(element).display !== 'inline')
      .filter((element) => {
        const { height, width } = (element.closest('label') ?? element).getBoundingClientRect();
        return width > 1 && (height < SMALLEST_PX || width < SMALLEST_PX);
      })
      .map((element) => element.outerHTML.slice(0, 160));
  });
}
