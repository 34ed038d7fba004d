// Runs the checks of other stories on pages that are wrong, to prove that they find it.
import { announcements, audit, findMotion, recordAnnouncements } from '../../../e2e/browser/audits.mjs';

const BAD_PAGE = `<!doctype html><html lang="en"><title>Bad</title><main><h1>Bad</h1>
  <p style="color: #999; background: #aaa">Hard to read</p>
  <button id="nameless"></button>
  <button tabindex="5" onkeydown="if (event.key === 'Tab') event.preventDefault()">A trap</button>
  <a href="/">Never reached</a>
  <div id="polite" role="status"></div><div id="assertive" role="alert"></div>
  <p id="moving">Moving</p></main></html>`;

export const checks = {
  async findingFaults(browser) {
    const context = await browser.openPerson();
    await recordAnnouncements(context);
    const tab = await context.newPage();
    await tab.goto('about:blank');
    await tab.setContent(BAD_PAGE);
    const { violations, unnamed, unreachable } = await audit(tab);
    await tab.evaluate(async () => {
      const frame = () => new Promise(requestAnimationFrame);
      document.querySelector('#polite').textContent = 'You are number 3';
      await frame();
      document.querySelector('#assertive').textContent = 'It is your turn';
      document.querySelector('#moving').animate({ opacity: [0, 1] }, { duration: 1_000, iterations: Infinity });
      await frame();
    });
    const said = await announcements(tab);
    return {
      rules: [...new Set(violations.map((line) => line.split(' ').slice(0, 2).join(' ')))].sort(),
      unnamed,
      unreachable: unreachable.map((html) => html.replace(/^<(\w+).*/s, '$1')),
      said: said.map(({ politeness, text }) => `${politeness}: ${text}`),
      moving: (await findMotion(tab)).length,
    };
  },
};
