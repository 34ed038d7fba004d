// Runs one story in Chromium and prints, as JSON, what was seen in it and what the pages did that they must not.
import { Browser } from './chromium.mjs';
import { stories } from './stories.mjs';

const [name, url, shots, executable] = process.argv.slice(2);
const browser = await Browser.open(executable, shots);
try {
  const seen = await stories[name](browser, url);
  console.log(JSON.stringify({ seen, ...browser.verdict() }));
} catch (error) {
  await browser.shotOfEverything(`${name}-failed`);
  throw error;
} finally {
  await browser.close();
}
