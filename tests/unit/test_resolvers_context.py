"""One request reads each thing once."""

import asyncio
from functools import partial

import pytest

from resolvers.load_once import LoadOnce
from tests.support.waiting import wait_until


async def test_those_who_ask_at_once_share_one_read() -> None:
    once, reads, gate = LoadOnce[str, int](), [], asyncio.Event()

    async def read() -> int:
        reads.append("a")
        await gate.wait()
        return 7

    asking = [asyncio.create_task(once.get("a", read)) for _ in range(10)]
    await wait_until(lambda: reads, what="the read")
    gate.set()
    assert await asyncio.gather(*asking) == [7] * 10
    assert await once.get("a", read) == 7
    assert reads == ["a"]


async def test_an_error_is_everybodys() -> None:
    once, reads = LoadOnce[str, int](), []

    async def read() -> int:
        reads.append("a")
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            await once.get("a", read)
    assert reads == ["a"]


async def test_keys_are_read_apart() -> None:
    once = LoadOnce[str, str]()

    async def read(key: str) -> str:
        return key.upper()

    assert [await once.get(key, partial(read, key)) for key in "ab"] == ["A", "B"]


async def test_a_cancelled_read_cancels_those_who_wait_for_it() -> None:
    once, started = LoadOnce[str, None](), asyncio.Event()

    async def read() -> None:
        started.set()
        await asyncio.Event().wait()

    reading, waiting = (asyncio.create_task(once.get("a", read)) for _ in range(2))
    await wait_until(started.is_set, what="the read")
    reading.cancel()
    results = await asyncio.gather(reading, waiting, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 2
