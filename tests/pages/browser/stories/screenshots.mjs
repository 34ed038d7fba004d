// Screenshots of every page and state, in both themes, three languages and two sizes.
import { DESKTOP, PHONE } from '../buyer.mjs';
import { visitEveryState } from '../states.mjs';
import { dropConnectionErrors } from './outages.mjs';

const THEMES = ['light', 'dark'];
const LANGUAGES = ['en', 'de', 'ar'];
const SIZES = { desktop: DESKTOP, phone: PHONE };

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
};

async function changeLanguage(tab, language) {
  const select = tab.locator('select').filter({ has: tab.locator(`option[value="${language}"]`) });
  if ((await select.count()) === 0) return; // the login page has one language
  await select.first().selectOption(language);
  await tab.waitForFunction((wanted) => document.documentElement.lang === wanted, language);
}
