"""Closes the concert after a sale. If the server keeps running, it would otherwise stay on sale."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.clients.console import write_status
from bench.clients.http_client import Client, Denied
from bench.clients.ledger import Step

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
    """Close the concert at the end of the block, even after an error, and report a failure."""
    try:
        yield
    finally:
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                answer = await client.ask(Step.LOAD, CLOSE, {"input": {"concertId": concert_id}}, token)
        except TimeoutError:
            write_status(f"the concert {concert_id} is still on sale: no server answered\n")
        else:
            if isinstance(answer, Denied) or "code" in answer:
                write_status(f"the concert {concert_id} is still on sale: {answer}\n")
