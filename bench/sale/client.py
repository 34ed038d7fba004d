"""GraphQL over real HTTP, as a patient client speaks it: kept-open connections to every server, and a request that got
no answer, or a retryable one, is sent again, unchanged, to the next server. Idempotency keys make that safe.
"""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import orjson

from bench.sale.ledger import Ledger, Step

JsonObject = dict[str, Any]

CONNECTIONS = 64
"""More would only wait on two cores, and be counted as the server's slowness."""
ANSWER_TIMEOUT_S = 10.0
"""Longer than any answer of a healthy server; a killed one is noticed at once by the closed connection."""
LONGEST_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Denied:
    """The system's no: a top-level error with its code, or NOTHING where a nullable field is null without one."""

    code: str
    message: str


class NotAnswered(Exception):
    """Worth repeating; the text says what happened instead of an answer."""


def http_client() -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    # The pool may be asked by everybody at once; only the server's answer is timed.
    timeout = httpx2.Timeout(ANSWER_TIMEOUT_S, pool=None)
    return httpx2.AsyncClient(limits=limits, timeout=timeout, trust_env=False)


class Client:
    """`urls` are the servers of one sale, `http://host:port` each."""

    def __init__(self, http: httpx2.AsyncClient, urls: Sequence[str], ledger: Ledger) -> None:
        self._http = http
        self._endpoints = [f"{url}/graphql" for url in urls]
        self._ledger = ledger
        self._dice = random.Random(0)

    async def ask(
        self, step: Step, document: str, variables: Mapping[str, object], token: str | None
    ) -> JsonObject | Denied:
        """The value of the document's one root field. Repeats until there is an answer."""
        body = orjson.dumps({"query": document, "variables": variables})
        server = self._dice.randrange(len(self._endpoints))
        attempt = 0
        while True:
            started = time.perf_counter()
            try:
                answer = await self._exchange(self._endpoints[(server + attempt) % len(self._endpoints)], body, token)
            except NotAnswered as nothing:
                self._ledger.retried[step, str(nothing)] += 1
                attempt += 1
                await asyncio.sleep(self._pause_s(attempt))
            else:
                self._ledger.answered_ms[step].append((time.perf_counter() - started) * 1000)
                return answer

    async def _exchange(self, url: str, body: bytes, token: str | None) -> JsonObject | Denied:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        try:
            response = await self._http.post(url, content=body, headers=headers)
        except httpx2.TimeoutException:
            raise NotAnswered("no answer in time") from None
        except httpx2.TransportError:
            raise NotAnswered("connection lost") from None
        if response.status_code >= 500:
            raise NotAnswered(f"HTTP {response.status_code}")
        return _read(response.content)

    def _pause_s(self, attempt: int) -> float:
        """Doubles from 50 ms, up to a second, shaken so that a crowd does not come back as one."""
        pause_s = min(0.05 * 2.0 ** min(attempt, 10), LONGEST_PAUSE_S)
        return pause_s * self._dice.uniform(0.5, 1.0)


def _read(content: bytes) -> JsonObject | Denied:
    answer: JsonObject = orjson.loads(content)
    for error in answer.get("errors") or ():
        code = error.get("extensions", {}).get("code", "NO_CODE")
        if code == "UNAVAILABLE":
            raise NotAnswered(code)
        return Denied(code, error["message"])
    value: JsonObject | None = next(iter(answer["data"].values()))
    if value is None:
        return Denied("NOTHING", "no such thing")
    if value.get("retryable"):
        raise NotAnswered(value["code"])
    return value
