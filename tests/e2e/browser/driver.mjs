// Reads stories from standard input, one line of JSON each: {name, shots, ...}. Runs them one after
// another in one Chromium browser, and prints a line of JSON for each: its observations and the
// faults of its pages, or its error.
//
// A story may ask the test for something that only the test can do, such as stopping the server. It
// prints {ask, ...} and waits for a line with the answer.
import { createInterface } from 'node:readline';

import { Browser } from './chromium.mjs';

export async function runStories(stories, [url, executable, ...options]) {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const read = async () => {
    const { value, done } = await lines.next();
    return done ? undefined : JSON.parse(value);
  };
  const ask = async (what, given = {}) => {
    console.log(JSON.stringify({ ask: what, ...given }));
    return read();
  };
  const browser = await Browser.open(executable, options);
  for (let story = await read(); story !== undefined; story = await read()) {
    console.log(JSON.stringify(await runStory(browser, { url, ask, ...story }, stories[story.name])));
  }
  await browser.close();
}

async function runStory(browser, given, story) {
  browser.begin(given.shots);
  try {
    const seen = await story(browser, given.url, given);
    return { seen, ...browser.report() };
  } catch (error) {
    await browser.screenshotEverything(`${given.name}-failed`);
    return { error: String(error.stack), ...browser.report() };
  } finally {
    await browser.closePages();
  }
}
