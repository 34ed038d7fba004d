// Reads stories from standard input, one line of JSON each: {name, shots}. Runs them one after
// another in one Chromium browser and prints one line of JSON for each: its observations and the
// faults of its pages, or its error.
import { createInterface } from 'node:readline';

import { Browser } from './chromium.mjs';
import { stories } from './stories.mjs';

const [url, executable] = process.argv.slice(2);
const browser = await Browser.open(executable);

async function runStory({ name, shots }) {
  browser.begin(shots);
  try {
    const seen = await stories[name](browser, url);
    return { seen, ...browser.report() };
  } catch (error) {
    await browser.screenshotEverything(`${name}-failed`);
    return { error: String(error.stack) };
  } finally {
    await browser.closePages();
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await runStory(JSON.parse(line))));
}
await browser.close();
