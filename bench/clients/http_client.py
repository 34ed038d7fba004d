"""A GraphQL client over HTTP that retries requests and keeps connections to every server open.

A request that gets no answer or a retryable error is sent unchanged to the next server. Idempotency
keys make this safe.
"""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import orjson

from bench.clients.ledger import Ledger, Step

JsonObject = dict[str, Any]

CONNECTIONS = 16
"""The number of connections per server; on two cores, more would only wait."""
ANSWER_TIMEOUT_S = 10.0
"""Longer than a healthy server ever takes to answer.

A killed server is detected immediately because its connections close.
"""
LONGEST_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Denied:
    """A top-level error; the code is NOTHING if the field is null but there is no error."""

    code: str
    message: str


class NotAnswered(Exception):
    """Raised if a request should be repeated; the message says why."""

    def __init__(self, what: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(what)
        self.retry_after_s = retry_after_s


class Server:
    """A server with its own connection pool.

    A shared pool would close connections to one server to make room for those to another.
    """

    def __init__(self, url: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        limits = httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        self._http = httpx2.AsyncClient(
            base_url=url, limits=limits, timeout=ANSWER_TIMEOUT_S, trust_env=False, transport=transport
        )
        # The pool searches its waiting list from the start for every request. This is slow if the
        # list is long, so the requests wait here instead.
        self._free = asyncio.Semaphore(CONNECTIONS)

    async def post(self, body: bytes, token: str | None) -> JsonObject | Denied:
        """Send a request once and return its answer. Raises NotAnswered."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        async with self._free:
            try:
                response = await self._http.post("/graphql", content=body, headers=headers)
            except httpx2.TimeoutException:
                raise NotAnswered("no answer in time") from None
            except httpx2.TransportError:
                raise NotAnswered("connection lost") from None
        if response.status_code >= 500:
            raise NotAnswered(f"HTTP {response.status_code}")
        return _read(response.content)

    async def aclose(self) -> None:
        await self._http.aclose()


class Client:
    """Sends requests to several equivalent servers."""

    def __init__(self, servers: Sequence[Server], ledger: Ledger) -> None:
        self._servers = servers
        self._ledger = ledger
        self._random = random.Random(0)

    async def ask(
        self, step: Step, document: str, variables: Mapping[str, object], token: str | None
    ) -> JsonObject | Denied:
        """Return the value of the document's only root field.

        The request is repeated until it is answered.
        """
        body = orjson.dumps({"query": document, "variables": variables})
        first = self._random.randrange(len(self._servers))
        for attempt in itertools.count(first):
            started = time.perf_counter()
            try:
                answer = await self._servers[attempt % len(self._servers)].post(body, token)
            except NotAnswered as failure:
                self._ledger.retried[step, str(failure)] += 1
                # Many people may be told the same retry time; without jitter, they would all retry
                # at the same moment.
                retry_after_s = failure.retry_after_s * self._random.uniform(1.0, 1.5)
                await asyncio.sleep(max(retry_after_s, self._pause_s(attempt - first)))
            else:
                self._ledger.answered_ms[step].append((time.perf_counter() - started) * 1000)
                break
        return answer

    def _pause_s(self, repeats: int) -> float:
        """Return the pause before a retry, which doubles from 50 ms to a second, with jitter."""
        pause_s = min(0.05 * 2.0 ** min(repeats, 10), LONGEST_PAUSE_S)
        return pause_s * self._random.uniform(0.5, 1.0)


@asynccontextmanager
async def open_client(urls: Sequence[str], ledger: Ledger) -> AsyncIterator[Client]:
    servers = [Server(url) for url in urls]
    try:
        yield Client(servers, ledger)
    finally:
        for server in servers:
            await server.aclose()


def _read(content: bytes) -> JsonObject | Denied:
    answer: JsonObject = orjson.loads(content)
    for error in answer.get("errors") or ():
        code = error.get("extensions", {}).get("code", "NO_CODE")
        if code == "UNAVAILABLE":
            raise NotAnswered(code)
        if code == "RATE_LIMITED":
            raise NotAnswered(code, retry_after_s=error["extensions"]["retryAfterSeconds"])
        return Denied(code, error["message"])
    value: JsonObject | None = next(iter(answer["data"].values()))
    if value is None:
        return Denied("NOTHING", "the field is null")
    if value.get("retryable"):
        raise NotAnswered(value["code"])
    return value
