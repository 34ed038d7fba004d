"""Reads server-sent events one by one, including comments."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import orjson

TIMEOUT_S = 60.0
COMMENT = ("", None)


@dataclass(frozen=True, slots=True)
class Events:
    response: httpx2.Response
    _blocks: AsyncIterator[tuple[str, Any]]

    async def receive(self) -> tuple[str, Any]:
        """Return the name and the data of the next event, or COMMENT.

        Raises StopAsyncIteration at the end of the stream.
        """
        async with asyncio.timeout(TIMEOUT_S):
            return await anext(self._blocks)

    async def rest(self) -> list[tuple[str, Any]]:
        async with asyncio.timeout(TIMEOUT_S):
            return [block async for block in self._blocks]


@asynccontextmanager
async def events(client: httpx2.AsyncClient, method: str, url: str, **options: Any) -> AsyncIterator[Events]:
    async with client.stream(method, url, **options) as response:
        yield Events(response, _blocks(response))


async def _blocks(response: httpx2.Response) -> AsyncIterator[tuple[str, Any]]:
    name, data = "", None
    async for line in response.aiter_lines():
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            yield name, data
            name, data = "", None
        elif field == "event":
            name = value
        elif field == "data":
            data = orjson.loads(value) if value else None
