/** Fetches with readable errors; the browser's own error says only "Failed to fetch". */

/** The server could not be reached, or the connection was lost before the response was complete. */
export class Unreachable extends Error {}

/** Fetches the address. An error message begins with `who`, for example "The server". */
export async function fetchFrom(who: string, address: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  return withReadableErrors(who, () => fetch(address, init));
}

/** Runs one step of a request. Browsers report every network failure as a TypeError. */
export async function withReadableErrors<T>(who: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new Unreachable(`${who} cannot be reached. Check that it runs and that you are online, then try again.`);
  }
}
