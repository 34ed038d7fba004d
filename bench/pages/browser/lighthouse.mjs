// Audits a page with Lighthouse, and prints its scores from 0 to 100, its timings, and the audits that
// cost points. node lighthouse.mjs <url> <Chromium> <desktop or mobile>
import { launch } from 'chrome-launcher';
import lighthouse, { desktopConfig } from 'lighthouse';

const [url, chromePath, form] = process.argv.slice(2);
const CATEGORIES = { performance: 'performance', accessibility: 'accessibility', best_practices: 'best-practices' };
const TIMINGS = {
  first_contentful_paint_ms: 'first-contentful-paint',
  largest_contentful_paint_ms: 'largest-contentful-paint',
  blocked_ms: 'total-blocking-time',
  layout_shift: 'cumulative-layout-shift',
};

const chrome = await launch({ chromePath, chromeFlags: ['--headless=new', '--no-sandbox', '--disable-quic'] });
try {
  const options = { port: chrome.port, logLevel: 'error', onlyCategories: Object.values(CATEGORIES) };
  const { lhr } = await lighthouse(url, options, form === 'desktop' ? desktopConfig : undefined);
  if (lhr.runtimeError) throw new Error(lhr.runtimeError.message);
  const entries = (names, value) => Object.entries(names).map(([name, id]) => [name, value(id)]);
  const scores = entries(CATEGORIES, (id) => Math.round(lhr.categories[id].score * 100));
  const timings = entries(TIMINGS, (id) => Math.round(lhr.audits[id].numericValue * 1_000) / 1_000);
  console.log(JSON.stringify({ ...Object.fromEntries([...scores, ...timings]), lost: findLostPoints(lhr) }));
} finally {
  chrome.kill();
}

// Returns the ids of the audits with a weight that did not get the full score.
function findLostPoints({ categories, audits }) {
  const weighted = Object.values(categories).flatMap(({ auditRefs }) => auditRefs.filter(({ weight }) => weight > 0));
  return weighted.map(({ id }) => id).filter((id) => audits[id].score !== null && audits[id].score < 1);
}
