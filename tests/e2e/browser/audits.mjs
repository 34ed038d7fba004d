// Checks what a person needs who does not use a mouse or does not see: rules of axe, the names of all
// controls, whether Tab reaches them, what is announced, and what moves.
import axe from 'axe-core';

const MOST_STOPS = 400;
const THEMES = ['light', 'dark'];
const CONTROLS = new Set([
  ...['button', 'checkbox', 'combobox', 'link', 'listbox', 'menuitem', 'option', 'radio', 'searchbox'],
  ...['slider', 'spinbutton', 'switch', 'tab', 'textbox'],
]);

// Returns the violations of axe, by default in both themes, as lines: theme, rule, element, what is wrong.
export async function findViolations(tab, themes = THEMES) {
  const found = [];
  for (const colorScheme of themes) {
    await tab.emulateMedia({ colorScheme });
    await untilStill(tab);
    await tab.evaluate(axe.source);
    const { violations } = await tab.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    for (const { id, nodes } of violations) {
      for (const { target, failureSummary } of nodes) {
        found.push(`${colorScheme} ${id} ${target.join(' ')}: ${failureSummary.replaceAll(/\s+/g, ' ')}`);
      }
    }
  }
  return found;
}

// Returns the controls without an accessible name, by their roles.
export async function findUnnamed(tab) {
  const session = await tab.context().newCDPSession(tab);
  const { nodes } = await session.send('Accessibility.getFullAXTree');
  await session.detach();
  const controls = nodes.filter(({ ignored, role }) => !ignored && CONTROLS.has(role?.value));
  return controls.filter(({ name }) => !name?.value?.trim()).map(({ role }) => role.value);
}

// Presses Tab until the focus leaves the page, and returns the controls that it did not reach. While a
// modal dialog is open, only its own controls are meant to be reached.
export async function findUnreachable(tab) {
  await tab.evaluate(() => {
    window.scrollTo(0, 0);
    window.onsaleReached = new Set();
    const root = document.querySelector('dialog:modal') ?? document.body;
    root.tabIndex = -1;
    root.focus();
    root.removeAttribute('tabindex');
  });
  for (let stops = 0; ; stops += 1) {
    if (stops > MOST_STOPS) throw new Error(`the focus is still in the page after ${stops} times Tab`);
    await tab.keyboard.press('Tab');
    if (await tab.evaluate(hasLeftOrReturned)) break;
  }
  return tab.evaluate(() => {
    const reached = [...window.onsaleReached];
    const inGroup = (element) => reached.some((one) => one.type === 'radio' && one.name === element.name);
    const root = document.querySelector('dialog:modal') ?? document;
    return [...root.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]')]
      .filter((element) => element.tabIndex >= 0 && !element.disabled && !element.closest('[inert], [aria-hidden=true]'))
      .filter((element) => element.checkVisibility({ visibilityProperty: true }))
      .filter((element) => !window.onsaleReached.has(element) && !(element.type === 'radio' && inGroup(element)))
      .map((element) => element.outerHTML.slice(0, 160));
  });
}

function hasLeftOrReturned() {
  const focused = document.activeElement;
  if (!focused || focused === document.body || window.onsaleReached.has(focused)) return true;
  window.onsaleReached.add(focused);
  return false;
}

// Returns everything that is wrong with a page in its present state.
export async function audit(tab, themes = THEMES) {
  return {
    violations: await findViolations(tab, themes),
    unnamed: await findUnnamed(tab),
    unreachable: await findUnreachable(tab),
  };
}

// Records what screen readers announce by themselves. Call this before the first page is opened.
export async function recordAnnouncements(context) {
  await context.addInitScript(() => {
    window.onsaleAnnouncements = [];
    const regions = '[aria-live], [role=status], [role=alert], [role=log]';
    const politenessOf = (region) =>
      region.getAttribute('aria-live') ?? (region.getAttribute('role') === 'alert' ? 'assertive' : 'polite');
    const observer = new MutationObserver((records) => {
      const elements = records.map(({ target }) => (target instanceof Element ? target : target.parentElement));
      for (const region of new Set(elements.map((element) => element?.closest(regions)))) {
        const text = region?.textContent.trim();
        if (text && politenessOf(region) !== 'off') {
          window.onsaleAnnouncements.push({ politeness: politenessOf(region), text, at: performance.now() });
        }
      }
    });
    observer.observe(document, { subtree: true, childList: true, characterData: true });
  });
}

export async function announcements(tab) {
  return tab.evaluate(() => window.onsaleAnnouncements);
}

// Returns the running animations that last longer than a flicker, such as those of a spinner.
export async function findMotion(tab) {
  return tab.evaluate(() =>
    document
      .getAnimations()
      .filter(({ playState, effect }) => playState === 'running' && effect.getComputedTiming().activeDuration > 1)
      .map(({ effect }) => effect.target.outerHTML.slice(0, 160)),
  );
}

// Waits until all animations that end have ended, because axe would measure a color on its way.
async function untilStill(tab) {
  await tab.evaluate(() =>
    Promise.allSettled(
      document
        .getAnimations()
        .filter(({ effect }) => effect.getComputedTiming().endTime !== Infinity)
        .map(({ finished }) => finished),
    ),
  );
}
