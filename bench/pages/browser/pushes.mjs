// Opens the page of a concert, holds one ticket after another, and prints for each how many
// milliseconds passed until Chromium had painted the new number of tickets.
// node pushes.mjs <Chromium>, with the rest as JSON on standard input: {url, token, holds, pauseMs,
// concertId, tierId, available, document}
import { text } from 'node:stream/consumers';

import { chromium } from 'playwright-core';

const [executablePath] = process.argv.slice(2);
const given = JSON.parse(await text(process.stdin));
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-quic'] });
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.goto(given.url);
  await page.getByText(new RegExp(`\\b${given.available}\\b`)).first().waitFor();
  const pushes = [];
  for (let number = 1; number <= given.holds; number += 1) {
    await page.waitForTimeout(given.pauseMs * (0.5 + Math.random()));
    pushes.push(await page.evaluate(holdAndWatch, { ...given, expected: given.available - number }));
  }
  console.log(JSON.stringify(pushes));
} finally {
  await browser.close();
}

// Runs in the page, so that all times are read from one clock.
async function holdAndWatch({ token, document: query, concertId, tierId, expected }) {
  const shown = new RegExp(`\\b${expected}\\b`);
  const painted = new Promise((resolve) => {
    const observer = new MutationObserver(() => {
      if (!shown.test(document.body.textContent)) return;
      observer.disconnect();
      // The message arrives after the frame that the callback belongs to has been produced.
      const channel = new MessageChannel();
      channel.port1.onmessage = () => resolve(performance.now());
      requestAnimationFrame(() => channel.port2.postMessage(null));
    });
    observer.observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  const input = { concertId, lines: [{ tierId, quantity: 1 }], idempotencyKey: crypto.randomUUID() };
  const sentMs = performance.now();
  const answer = await fetch('/graphql', {
    method: 'POST',
    credentials: 'omit',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables: { input } }),
  });
  const { data } = await answer.json();
  const answeredMs = performance.now();
  if (data?.holdTickets.__typename !== 'HoldTicketsSuccess') throw new Error(`refused: ${JSON.stringify(data)}`);
  const paintedMs = await painted;
  return { answerMs: answeredMs - sentMs, sentToPixelMs: paintedMs - sentMs, answerToPixelMs: paintedMs - answeredMs };
}
