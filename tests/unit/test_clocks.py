"""The clock that differs from the others is named. A host with a wrong clock is not ready."""

import logging
import socket
from datetime import UTC, datetime
from typing import Any

import pytest

from storage.readiness.clocks import REFUSE_FROM_S, ClockCheck, ClockOffset, WrongClock, describe, find_wrong_clock
from telemetry.metrics import clock_offsets

HOST, FAR = "this host", 300.0


def at(seconds: float, error_s: float = 0.0) -> ClockOffset:
    return ClockOffset(seconds, error_s)


@pytest.mark.parametrize(
    ("redis", "mongodb", "wrong"),
    [
        (at(0.2), at(-0.3), None),
        (None, None, None),
        (at(FAR), at(0), WrongClock("Redis", FAR, "this host and MongoDB")),
        (at(-FAR), at(0), WrongClock("Redis", -FAR, "this host and MongoDB")),
        (at(0), at(FAR), WrongClock("MongoDB", FAR, "this host and Redis")),
        (at(FAR), at(FAR), WrongClock(HOST, -FAR, "Redis and MongoDB")),
        (at(-FAR), at(-FAR), WrongClock(HOST, FAR, "Redis and MongoDB")),
        (at(FAR), None, WrongClock("Redis", FAR, HOST)),
        (None, at(-2), WrongClock("MongoDB", -2, HOST)),
        (at(FAR), at(10), WrongClock("Redis", FAR - 10, "this host and MongoDB")),
    ],
)
def test_clock_that_differs_is_named(
    redis: ClockOffset | None, mongodb: ClockOffset | None, wrong: WrongClock | None
) -> None:
    assert find_wrong_clock(redis, mongodb) == wrong


def test_slow_answer_does_not_look_like_a_wrong_clock() -> None:
    """The store may have read its clock at any time between the request and the reply."""
    measured = ClockOffset.measure(100.0, before_s=100.0, after_s=103.0)
    assert (measured.seconds, measured.error_s) == (-1.5, 1.5)
    assert find_wrong_clock(measured, at(0)) is None
    assert find_wrong_clock(at(-4, 1.5), at(0)) == WrongClock("Redis", -2.5, "this host and MongoDB")


def test_sentence_names_the_clock_and_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "web-1")
    assert describe(WrongClock("Redis", FAR, "this host and MongoDB")) == (
        "the clock of Redis is 300 s ahead of those of this host (web-1) and MongoDB; synchronize the clock of Redis"
        " with NTP"
    )
    assert describe(WrongClock(HOST, -FAR, "Redis and MongoDB")) == (
        "the clock of this host (web-1) is 300 s behind those of Redis and MongoDB; synchronize the clock of this"
        " host with NTP"
    )
    assert describe(WrongClock("Redis", FAR, HOST)) == (
        "the clock of Redis is 300 s ahead of that of this host (web-1); synchronize both with NTP"
    )


class Store:
    """A Redis and a MongoDB whose clocks are this far from that of the host."""

    def __init__(self, *, redis_s: float = 0.0, mongodb_s: float = 0.0) -> None:
        self.redis_s = redis_s
        self.mongodb_s = mongodb_s
        self.now_s = 1_000_000.0

    async def call_with_keys(self, *_: object) -> tuple[str, list[int]]:
        return "STORE", [1, int(self.now_s + self.redis_s), 0]

    async def command(self, _: str) -> Any:
        return {"localTime": datetime.fromtimestamp(self.now_s + self.mongodb_s, UTC)}


def check_of(store: Any) -> ClockCheck:
    return ClockCheck(store, store, now=lambda: store.now_s)


async def test_host_with_a_wrong_clock_is_not_ready() -> None:
    check = check_of(Store(redis_s=FAR, mongodb_s=FAR))
    await check.check()
    assert check.problem is not None
    assert "the clock of this host" in check.problem
    assert check.warning is None
    assert clock_offsets.values[("redis",)] == clock_offsets.values[("mongodb",)] == FAR


@pytest.mark.parametrize("store", [Store(redis_s=FAR), Store(mongodb_s=-FAR), Store(redis_s=10, mongodb_s=10)])
async def test_clock_of_a_store_or_a_small_difference_is_a_warning(store: Store) -> None:
    """All processes see the wrong clock of a store, so refusing would end the sale."""
    check = check_of(store)
    await check.check()
    assert check.problem is None
    assert check.warning is not None


async def test_each_change_of_the_clocks_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    store = Store(redis_s=2)
    check = check_of(store)
    with caplog.at_level(logging.WARNING, "storage.readiness.clocks"):
        for redis_s in (2, 3, 4, REFUSE_FROM_S, FAR, 0, 0):
            store.redis_s = redis_s
            await check.check()
    lines = [record.getMessage() for record in caplog.records]
    assert [line.partition(";")[0].partition(" (")[0] for line in lines] == [
        "the clock of Redis is 2 s ahead of those of this host",
        "the clock of Redis is 30 s ahead of those of this host",
        "the clocks of this host, Redis and MongoDB agree again",
    ]
