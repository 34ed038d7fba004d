"""Concurrent callers share one read and its result or error; none can cancel it for the others."""

import asyncio

import pytest

from domain.errors import TemporarilyUnavailable
from storage.sync import detached
from storage.sync.detached import DetachedTasks
from storage.sync.single_flight import SingleFlight
from tests.support.waiting import wait_until


class Read:
    """A read that waits for `gate` and then returns its serial number or raises `failure`."""

    def __init__(self) -> None:
        self.count = 0
        self.gate = asyncio.Event()
        self.failure: Exception | None = None

    async def __call__(self) -> int:
        self.count += 1
        number = self.count
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return number


async def test_concurrent_callers_share_one_read() -> None:
    flights, owner, read = SingleFlight[str, int](), DetachedTasks(), Read()
    callers = [asyncio.create_task(flights.run("a", read, owner=owner)) for _ in range(100)]
    await wait_until(lambda: read.count, what="the read")
    read.gate.set()
    assert await asyncio.gather(*callers) == [1] * 100
    assert await flights.run("a", read, owner=owner) == 2


async def test_each_key_is_read_separately() -> None:
    flights, owner, read = SingleFlight[str, int](), DetachedTasks(), Read()
    read.gate.set()
    assert sorted(await asyncio.gather(*[flights.run(key, read, owner=owner) for key in "abab"])) == [1, 1, 2, 2]


async def test_canceled_caller_does_not_cancel_the_read() -> None:
    flights, owner, read = SingleFlight[str, int](), DetachedTasks(), Read()
    first, *others = [asyncio.create_task(flights.run("a", read, owner=owner)) for _ in range(3)]
    await wait_until(lambda: read.count, what="the read")
    first.cancel()
    assert isinstance((await asyncio.gather(first, return_exceptions=True))[0], asyncio.CancelledError)
    read.gate.set()
    assert await asyncio.gather(*others) == [1, 1]
    assert read.count == 1


async def test_every_caller_gets_the_error_and_the_next_call_reads_again() -> None:
    flights, owner, read = SingleFlight[str, int](), DetachedTasks(), Read()
    read.failure = TemporarilyUnavailable("The store does not answer")
    read.gate.set()
    results = await asyncio.gather(*[flights.run("a", read, owner=owner) for _ in range(3)], return_exceptions=True)
    assert results == [read.failure] * 3
    read.failure = None
    assert await flights.run("a", read, owner=owner) == 2


async def test_closing_the_owner_cancels_a_read_in_progress() -> None:
    flights, owner, read = SingleFlight[str, int](), DetachedTasks(), Read()
    caller = asyncio.create_task(flights.run("a", read, owner=owner))
    await wait_until(lambda: read.count, what="the read")
    await owner.aclose(patience_s=0)
    assert isinstance((await asyncio.gather(caller, return_exceptions=True))[0], asyncio.CancelledError)


async def test_read_refused_by_a_full_owner_can_be_repeated_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detached, "MAX_RUNNING", 10)
    flights, owner, read = SingleFlight[int, int](), DetachedTasks(), Read()
    running = [flights.start(key, read, owner=owner) for key in range(10)]
    with pytest.raises(TemporarilyUnavailable, match="too many requests in progress"):
        await flights.run(-1, read, owner=owner)
    read.gate.set()
    await asyncio.gather(*running)
    assert await flights.run(-1, read, owner=owner) == 11
