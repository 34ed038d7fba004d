// Hides a page as Chromium hides a tab in the background: it draws no frames, and its timers fire at
// most once a minute, as they do after five minutes. Chromium without a window keeps every tab visible,
// even behind another one, so the page is made to believe it.
const MINUTE_MS = 60_000;

// Call this before the page is opened.
export async function prepareHiding(context) {
  await context.addInitScript((minuteMs) => {
    const real = {
      setTimeout: window.setTimeout.bind(window),
      setInterval: window.setInterval.bind(window),
      requestAnimationFrame: window.requestAnimationFrame.bind(window),
    };
    let isHidden = false;
    let waiting = new Set();
    const cleared = new Set();
    const later = (callback) => (isHidden ? waiting.add(callback) : callback());
    const runWaiting = () => {
      const due = waiting;
      waiting = new Set();
      for (const callback of due) callback();
    };
    const startTimer = (kind) => (callback, ms, ...rest) => {
      const id = real[kind](() => later(run), ms);
      const run = () => cleared.has(id) || callback(...rest);
      return id;
    };
    const stopTimer = (name) => {
      const stop = window[name].bind(window);
      window[name] = (id) => (cleared.add(id), stop(id));
    };
    window.setTimeout = startTimer('setTimeout');
    window.setInterval = startTimer('setInterval');
    window.requestAnimationFrame = (callback) => real.requestAnimationFrame((at) => later(() => callback(at)));
    stopTimer('clearTimeout');
    stopTimer('clearInterval');
    real.setInterval(runWaiting, minuteMs);
    Object.defineProperty(document, 'visibilityState', { get: () => (isHidden ? 'hidden' : 'visible') });
    Object.defineProperty(document, 'hidden', { get: () => isHidden });
    window.onsaleHide = (hide) => {
      isHidden = hide;
      document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
      if (!hide) runWaiting();
    };
  }, MINUTE_MS);
}

export async function hide(tab) {
  await tab.evaluate(() => window.onsaleHide(true));
}

export async function show(tab) {
  await tab.evaluate(() => window.onsaleHide(false));
}
