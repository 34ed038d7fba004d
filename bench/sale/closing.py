"""Closes the concert of a sale, so that none stays on sale on a server that goes on running."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.sale.client import Client, Denied
from bench.sale.ledger import Step
from bench.sale.progress import say

CLOSE_WITHIN_S = 10.0

CLOSE = """mutation Close($input: CloseConcertInput!) {
  closeConcert(input: $input) {
    __typename
    ... on CloseConcertSuccess { concert { id status } }
    ... on DomainError { code message retryable }
  }
}"""


@asynccontextmanager
async def closed_at_the_end(client: Client, concert_id: str, token: str) -> AsyncIterator[None]:
    """Close the concert when the block ends, however it ends. A failure to close it is told."""
    try:
        yield
    finally:
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                answer = await client.ask(Step.LOAD, CLOSE, {"input": {"concertId": concert_id}}, token)
        except TimeoutError:
            say(f"the concert {concert_id} stays on sale: no server answered\n")
        else:
            if isinstance(answer, Denied) or "code" in answer:
                say(f"the concert {concert_id} stays on sale: {answer}\n")
