/**
 * Solves a proof of work (docs/waiting-room.md) in a worker, so that the page stays responsive and
 * a hidden tab is not slowed down.
 */

export interface Challenge {
  challenge: string;
  bits: number;
}

/** How many hashes are computed at the same time; each is a promise of the browser. */
const BATCH = 512;

const encoder = new TextEncoder();

async function isSolution(challenge: string, nonce: number, bits: number): Promise<boolean> {
  const hash = await crypto.subtle.digest("SHA-256", encoder.encode(challenge + String(nonce)));
  return bits === 0 || new DataView(hash).getUint32(0) >>> (32 - bits) === 0;
}

async function solve({ challenge, bits }: Challenge): Promise<string> {
  for (let first = 0; ; first += BATCH) {
    const nonces = Array.from({ length: BATCH }, (_, index) => first + index);
    const found = await Promise.all(nonces.map((nonce) => isSolution(challenge, nonce, bits)));
    const index = found.indexOf(true);
    if (index >= 0) return String(first + index);
  }
}

addEventListener("message", ({ data }: MessageEvent<Challenge>) => {
  void solve(data).then((nonce) => {
    postMessage(nonce);
  });
});
