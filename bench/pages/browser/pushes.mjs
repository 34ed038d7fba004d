// Opens the page of a concert, where another person holds a ticket and releases it in turn. Prints for
// each of these changes how many milliseconds passed until Chromium had painted the new number.
// node pushes.mjs <Chromium>, with the rest as JSON on standard input: {url, token, changes, pauseMs,
// concertId, tierId, capacity, hold, release}
import { text } from 'node:stream/consumers';

import { chromium } from 'playwright-core';

const [executablePath] = process.argv.slice(2);
const given = JSON.parse(await text(process.stdin));
const { capacity, concertId, tierId, token } = given;
const shownWith = (available) => `${available} tickets left`;
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-quic'] });
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, locale: 'en-GB' });
  await page.goto(given.url);
  await page.getByText(shownWith(capacity)).first().waitFor();
  const pushes = [];
  const change = async (query, input, available) => {
    await page.waitForTimeout(given.pauseMs * (0.5 + Math.random()));
    const { data, ...times } = await page.evaluate(sendAndWatch, { token, query, input, shown: shownWith(available) });
    pushes.push(times);
    return data;
  };
  while (pushes.length < given.changes) {
    const lines = [{ tierId, quantity: 1 }];
    const held = await change(given.hold, { concertId, lines, idempotencyKey: crypto.randomUUID() }, capacity - 1);
    await change(given.release, { holdId: held.holdTickets.hold.id }, capacity);
  }
  console.log(JSON.stringify(pushes));
} finally {
  await browser.close();
}

// Runs in the page, so that all times are read from one clock. The mutation is another person's.
async function sendAndWatch({ token, query, input, shown }) {
  const painted = new Promise((resolve) => {
    const observer = new MutationObserver(() => {
      if (!document.body.textContent.includes(shown)) return;
      observer.disconnect();
      // The message arrives after the frame that the callback belongs to has been produced.
      const channel = new MessageChannel();
      channel.port1.onmessage = () => resolve(performance.now());
      requestAnimationFrame(() => channel.port2.postMessage(null));
    });
    observer.observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  const sentMs = performance.now();
  const answer = await fetch('/graphql', {
    method: 'POST',
    credentials: 'omit',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables: { input } }),
  });
  const { data } = await answer.json();
  const answeredMs = performance.now();
  if (!/Success$/.test(Object.values(data ?? {})[0]?.__typename)) throw new Error(`refused: ${JSON.stringify(data)}`);
  const paintedMs = await painted;
  return { data, sentToPixelMs: paintedMs - sentMs, answerToPixelMs: paintedMs - answeredMs };
}
