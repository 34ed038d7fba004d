/** Asks a worker for the nonce of a challenge. */

import type { Challenge } from "./proofWorker";

export async function solveChallenge(challenge: Challenge, signal: AbortSignal): Promise<string> {
  const worker = new Worker(new URL("./proofWorker.ts", import.meta.url), { type: "module" });
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<string>) => {
        resolve(data);
      };
      worker.onerror = (event) => {
        reject(new Error(event.message));
      };
      signal.addEventListener("abort", () => {
        reject(new DOMException("The page was left.", "AbortError"));
      });
      worker.postMessage({ challenge: challenge.challenge, bits: challenge.bits });
    });
  } finally {
    worker.terminate();
  }
}
