/** Asks for a place until the server has given one, or has refused it for good. */

import type { ResultOf } from "@graphql-typed-document-node/core";
import { useCallback, useEffect, useRef, useState } from "react";
import { useClient, type Client } from "urql";

import { outcomeOf, type Outcome, type Problem } from "../../api/outcome";
import { JOIN_QUEUE } from "./operations";
import { solveChallenge } from "./proofOfWork";

export type Joining =
  | { kind: "idle" }
  | { kind: "asking" }
  /** The device computes a proof of work. */
  | { kind: "solving" }
  /** The server is busy or away; the page asks again by itself. */
  | { kind: "repeating"; problem: Problem }
  | { kind: "refused"; problem: Problem };

const FIRST_WAIT_MS = 1_500;
const LONGEST_WAIT_MS = 20_000;

/** The place is refused until something else changes, such as the person or the room. */
class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.message);
  }
}

function asProblem(error: unknown): Problem {
  return error instanceof Refused ? error.problem : { code: "INTERNAL", message: String(error), retryable: true };
}

/** Joining twice returns the same place, so it is safe to ask again after any failure. */
export function useJoin(concertId: string | undefined, onChange: () => void): { joining: Joining; join: () => void } {
  const client = useClient();
  const [joining, setJoining] = useState<Joining>({ kind: "idle" });
  const running = useRef<AbortController | null>(null);
  useEffect(() => () => running.current?.abort(), []);

  const join = useCallback(() => {
    if (concertId === undefined || running.current) return;
    const controller = new AbortController();
    running.current = controller;
    joinUntilDone(client, concertId, controller.signal, setJoining)
      .then(() => {
        setJoining({ kind: "idle" });
      })
      .catch((error: unknown) => {
        if (!controller.signal.aborted) setJoining({ kind: "refused", problem: asProblem(error) });
      })
      .finally(() => {
        running.current = null;
        onChange();
      });
  }, [client, concertId, onChange]);

  return { joining, join };
}

type Proof = { challenge: string; nonce: string };

async function joinUntilDone(
  client: Client,
  concertId: string,
  signal: AbortSignal,
  tell: (joining: Joining) => void,
): Promise<void> {
  let proof: Proof | null = null;
  let waitMs = FIRST_WAIT_MS;
  tell({ kind: "asking" });
  while (!signal.aborted) {
    const { success, problem, refusal } = await ask(client, concertId, proof);
    if (success) return;
    if (refusal?.__typename === "ChallengeRequiredError") {
      tell({ kind: "solving" });
      proof = { challenge: refusal.challenge, nonce: await solveChallenge(refusal, signal) };
      continue;
    }
    if (!problem.retryable || problem.code === "ROOM_NOT_OPEN") throw new Refused(problem);
    tell({ kind: "repeating", problem });
    await pause(Math.max((problem.retryAfterSeconds ?? 0) * 1_000, waitMs) * (1 + Math.random() / 2), signal);
    waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
  }
}

type Joined = ResultOf<typeof JOIN_QUEUE>["joinQueue"];

async function ask(client: Client, concertId: string, proof: Proof | null): Promise<Outcome<Joined>> {
  const result = await client.mutation(JOIN_QUEUE, { concertId, proof }).toPromise();
  return outcomeOf(result, result.data?.joinQueue);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
