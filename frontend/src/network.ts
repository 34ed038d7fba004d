/** Fetches with readable errors, because a browser reports only "Failed to fetch". */

/** The server could not be reached, or the connection was lost before the response was complete. */
export class Unreachable extends Error {}

/** `who` begins the message, for example "The server". */
export async function fetchFrom(who: string, address: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  return orUnreachable(who, () => fetch(address, init));
}

/** Runs a step of a request. The browser reports every network failure as a TypeError. */
export async function orUnreachable<T>(who: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new Unreachable(`${who} cannot be reached. Check that it runs and that you are online, then try again.`);
  }
}
