"""LoadOnce reads each key once per request, for any number of callers."""

import asyncio
from functools import partial

import pytest

from resolvers.load_once import LoadOnce
from tests.support.waiting import wait_until


async def test_concurrent_callers_in_a_request_share_one_read() -> None:
    once, reads, gate = LoadOnce[str, int](), [], asyncio.Event()

    async def read() -> int:
        reads.append("a")
        await gate.wait()
        return 7

    callers = [asyncio.create_task(once.get("a", read)) for _ in range(10)]
    await wait_until(lambda: reads, what="the read")
    gate.set()
    assert await asyncio.gather(*callers) == [7] * 10
    assert await once.get("a", read) == 7
    assert reads == ["a"]


async def test_error_is_kept_for_every_caller() -> None:
    once, reads = LoadOnce[str, int](), []

    async def read() -> int:
        reads.append("a")
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            await once.get("a", read)
    assert reads == ["a"]


async def test_each_key_in_a_request_is_read_separately() -> None:
    once = LoadOnce[str, str]()

    async def read(key: str) -> str:
        return key.upper()

    assert [await once.get(key, partial(read, key)) for key in "ab"] == ["A", "B"]


async def test_canceled_load_is_taken_over_by_another_caller() -> None:
    once, gate, reads = LoadOnce[str, int](), asyncio.Event(), []

    async def read() -> int:
        reads.append("a")
        await gate.wait()
        return 7

    first, second, third = (asyncio.create_task(once.get("a", read)) for _ in range(3))
    await wait_until(lambda: reads, what="the read")
    first.cancel()
    await wait_until(lambda: len(reads) == 2, what="the second read")
    gate.set()
    results = await asyncio.gather(first, second, third, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert list(results[1:]) == [7, 7]
    assert len(reads) == 2


async def test_canceled_waiter_does_not_disturb_the_load() -> None:
    once, gate, reads = LoadOnce[str, int](), asyncio.Event(), []

    async def read() -> int:
        reads.append("a")
        await gate.wait()
        return 7

    loading, waiting = (asyncio.create_task(once.get("a", read)) for _ in range(2))
    await wait_until(lambda: reads, what="the read")
    waiting.cancel()
    results = await asyncio.gather(waiting, return_exceptions=True)
    gate.set()
    assert isinstance(results[0], asyncio.CancelledError)
    assert await loading == 7
    assert reads == ["a"]
