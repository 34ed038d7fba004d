"""Compares the clocks of this host, Redis and MongoDB.

Redis decides by its own clock when holds and calls end; orders, payments and tokens use the clock
of the process; indexes with an expiry use MongoDB's. No ticket is lost if they differ, but
deadlines take effect too early or too late. The clock that differs from the other two is named.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from domain.errors import TemporarilyUnavailable
from storage.mongo.client import Database
from storage.readiness.redis_state import ScriptCaller, read_redis_state
from telemetry.metrics import clock_offsets

log = logging.getLogger(__name__)

WARN_FROM_S = 1.0
"""From this difference on, a warning names the clock. NTP keeps clocks within milliseconds."""
REFUSE_FROM_S = 30.0
"""From this difference on, a process whose own clock is the wrong one is not ready. Where a store's
clock is wrong, all processes see that, and to refuse would end the sale.
"""
WITHIN_S = 2.0


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """The clock of a store minus that of this host, at most `error_s` off either way."""

    seconds: float
    error_s: float = 0.0

    @classmethod
    def measure(cls, store_s: float, *, before_s: float, after_s: float) -> "ClockOffset":
        """Return the offset of a store that read its clock between these times of this host."""
        return cls(store_s - (before_s + after_s) / 2, (after_s - before_s) / 2)


@dataclass(frozen=True, slots=True)
class WrongClock:
    clock: str
    """`this host`, `Redis` or `MongoDB`. It may be either of two if there is no third."""
    seconds: float
    """By how much it is ahead of the others, at least; negative if it is behind."""
    others: str


def find_wrong_clock(redis: ClockOffset | None, mongodb: ClockOffset | None) -> WrongClock | None:
    """Return the clock that differs from the others, or None if those that are known agree."""
    known = {"this host": ClockOffset(0.0)}
    known |= {name: offset for name, offset in (("Redis", redis), ("MongoDB", mongodb)) if offset is not None}
    names = list(known)
    pairs = [(one, other) for index, one in enumerate(names) for other in names[index + 1 :]]
    apart = {pair: _apart_s(known[pair[0]], known[pair[1]]) for pair in pairs}
    if not pairs or max(abs(seconds) for seconds in apart.values()) < WARN_FROM_S:
        return None
    if len(pairs) == 1:
        return WrongClock(names[1], apart[pairs[0]], names[0])
    closest = min(pairs, key=lambda pair: abs(apart[pair]))
    wrong = next(name for name in names if name not in closest)
    nearest = min((_apart_s(known[name], known[wrong]) for name in closest), key=abs)
    return WrongClock(wrong, nearest, " and ".join(closest))


def _apart_s(one: ClockOffset, other: ClockOffset) -> float:
    """Return by how much the other clock is ahead of the first, at least; negative if behind."""
    seconds, error_s = other.seconds - one.seconds, one.error_s + other.error_s
    return max(0.0, seconds - error_s) if seconds > 0 else min(0.0, seconds + error_s)


class ClockCheck:
    """The last comparison. `problem` and `warning` are sentences for `/readyz`, or None."""

    def __init__(self, client: ScriptCaller, database: Database, *, now: Callable[[], float] = time.time) -> None:
        self.problem: str | None = None
        self.warning: str | None = None
        self._client = client
        self._database = database
        self._now = now
        self._logged: tuple[str, bool] | None = None

    async def check(self) -> None:
        """Read both clocks and compare them. A store that does not answer is left out."""
        redis, mongodb = await asyncio.gather(self._measure(self._read_redis), self._measure(self._read_mongodb))
        for store, offset in (("redis", redis), ("mongodb", mongodb)):
            clock_offsets.set(None if offset is None else offset.seconds, store)
        wrong = find_wrong_clock(redis, mongodb)
        is_refused = wrong is not None and wrong.clock == "this host" and abs(wrong.seconds) >= REFUSE_FROM_S
        sentence = None if wrong is None else describe(wrong)
        self.problem = sentence if is_refused else None
        self.warning = None if is_refused else sentence
        self._log(None if wrong is None else (wrong.clock, abs(wrong.seconds) >= REFUSE_FROM_S), sentence)

    async def _measure(self, read: Callable[[], Awaitable[float]]) -> ClockOffset | None:
        before_s = self._now()
        try:
            async with asyncio.timeout(WITHIN_S):
                store_s = await read()
        except (TemporarilyUnavailable, RedisError, PyMongoError, OSError):
            return None
        after_s = self._now()
        # A clock that was set in between measures nothing.
        return None if after_s < before_s else ClockOffset.measure(store_s, before_s=before_s, after_s=after_s)

    async def _read_redis(self) -> float:
        return (await read_redis_state(self._client)).time_s

    async def _read_mongodb(self) -> float:
        hello = await self._database.command("hello")
        return float(hello["localTime"].timestamp())

    def _log(self, found: tuple[str, bool] | None, sentence: str | None) -> None:
        """Log when another clock is wrong, or by far more or less than before."""
        if found != self._logged:
            self._logged = found
            log.warning("%s", sentence or "the clocks of this host, Redis and MongoDB agree again")


def describe(wrong: WrongClock) -> str:
    ahead = "ahead of" if wrong.seconds > 0 else "behind"
    that = "those of" if " and " in wrong.others else "that of"
    host = f"this host ({socket.gethostname()})"
    name, others = (text.replace("this host", host) for text in (wrong.clock, wrong.others))
    step = f"synchronize the clock of {wrong.clock} with NTP"
    if " and " not in others:
        step = "synchronize both with NTP"
    return f"the clock of {name} is {abs(wrong.seconds):.0f} s {ahead} {that} {others}; {step}"
