/** Makes errors readable in GraphiQL, which would print the minified stack of an `Error`. */

import type { FetcherReturnType } from "@graphiql/toolkit";

/** Returns the same answer, but with errors that have no stack. */
export async function readable(answer: FetcherReturnType): Promise<Awaited<FetcherReturnType>> {
  try {
    const result = await answer;
    if (Symbol.asyncIterator in result) hideStacks(result as AsyncIterableIterator<unknown>);
    return result;
  } catch (error) {
    throw withoutStack(error);
  }
}

function hideStacks(results: AsyncIterableIterator<unknown>): void {
  const next = results.next.bind(results);
  results.next = () =>
    next().catch((error: unknown) => {
      throw withoutStack(error);
    });
}

function withoutStack(error: unknown): unknown {
  return error instanceof Error ? { message: error.message } : error;
}
