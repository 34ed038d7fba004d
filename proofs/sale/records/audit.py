"""Reads the admissions of a queue directly from the store during the sale.

They cannot be read later, because the store keeps each call for only a minute and each slot only
while it is taken.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import RedisError

from domain.ids import ConcertId
from storage.keys import KINDS, concert_keys

POLL_INTERVAL_S = 0.25


@dataclass(frozen=True, slots=True)
class Audit:
    """The admissions of a queue, as the store recorded them."""

    calls: Mapping[int, int]
    """The number of calls in each Unix second."""
    called_ms: tuple[int, ...]
    """The time of each called person's last call, in Unix ms."""
    most_slots: int
    serving: int
    tail: int
    departed: frozenset[int]
    """Numbers that were never called and never will be."""


class Auditor:
    """Reads the store at intervals; `redis` must be configured to decode responses."""

    def __init__(self, redis: Redis, concert_id: ConcertId) -> None:
        self._redis = redis
        self._keys = dict(zip(KINDS, concert_keys(concert_id), strict=True))
        self._calls: dict[int, int] = {}
        self.most_slots = 0

    async def poll(self) -> None:
        """Read repeatedly until canceled; store errors are ignored."""
        while True:
            with contextlib.suppress(RedisError):
                await self._read()
            await asyncio.sleep(POLL_INTERVAL_S)

    async def finish(self) -> Audit:
        await self._read()
        state = await self._hash("state")
        entries = [json.loads(entry) for entry in (await self._hash("entries")).values()]
        departed = await self._redis.execute_command("GET", self._keys["departed"], NEVER_DECODE=True)
        return Audit(
            calls=dict(sorted(self._calls.items())),
            called_ms=tuple(sorted(entry["called_ms"] for entry in entries if "called_ms" in entry)),
            most_slots=self.most_slots,
            serving=int(state["serving"]),
            tail=int(state["tail"]),
            departed=read_set_bits(departed or b""),
        )

    async def _read(self) -> None:
        for second, count in (await self._hash("admissions")).items():
            self._calls[int(second)] = int(count)
        self.most_slots = max(self.most_slots, await self._redis.execute_command("ZCARD", self._keys["slots"]))

    async def _hash(self, kind: str) -> dict[str, str]:
        fields: dict[str, str] = await self._redis.execute_command("HGETALL", self._keys[kind])
        return fields


def read_set_bits(content: bytes) -> frozenset[int]:
    """Return the numbers of the set bits; the highest bit of the first byte is number 0."""
    return frozenset(
        index * 8 + bit for index, value in enumerate(content) for bit in range(8) if value & (0x80 >> bit)
    )
