/** Errors as GraphiQL can show them: of an `Error` it prints the minified stack. */

import type { FetcherReturnType } from "@graphiql/toolkit";

/** The same answer; whatever it throws has only a message, or is what the server sent. */
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
