// Every page in every state, for people who do not use a mouse, do not see, or do not want motion.
import { announcements, audit, findMotion } from '../../../e2e/browser/audits.mjs';
import { PHONE } from '../buyer.mjs';
import { visitEveryState } from '../states.mjs';
import { dropConnectionErrors } from './outages.mjs';

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
};

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
