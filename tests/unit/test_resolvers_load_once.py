"""The keys of a page are loaded together, and each key only once."""

import asyncio
from dataclasses import dataclass, field
from functools import partial

import pytest

from resolvers.load_once import LoadOnce
from tests.support.waiting import wait_until


@dataclass
class Reads:
    """Reads a letter as uppercase and fails for a digit.

    `turns` lists the keys whose reads began in each iteration of the event loop.
    """

    turns: list[list[str]] = field(default_factory=list)
    _is_turn_over: bool = True

    async def read(self, key: str) -> str:
        if self._is_turn_over:
            self.turns.append([])
            self._is_turn_over = False
            asyncio.get_running_loop().call_soon(self._end_turn)
        self.turns[-1].append(key)
        await asyncio.sleep(0)
        if key.isdigit():
            raise ValueError(key)
        return key.upper()

    def _end_turn(self) -> None:
        self._is_turn_over = True


async def test_keys_are_loaded_in_one_iteration_of_the_loop() -> None:
    once, reads = LoadOnce[str, str](), Reads()

    await once.load_all({key: partial(reads.read, key) for key in "abc"})

    assert [await once.get(key, partial(reads.read, key)) for key in "abc"] == ["A", "B", "C"]
    assert [sorted(turn) for turn in reads.turns] == [["a", "b", "c"]]


async def test_keys_already_loaded_are_not_loaded_again() -> None:
    once, reads = LoadOnce[str, str](), Reads()
    once.put("a", "given")
    assert await once.get("b", partial(reads.read, "b")) == "B"

    await once.load_all({key: partial(reads.read, key) for key in "abc"})

    assert await once.get("a", partial(reads.read, "a")) == "given"
    assert reads.turns == [["b"], ["c"]]


async def test_load_waits_for_keys_that_another_caller_is_loading() -> None:
    once, reads, gate = LoadOnce[str, str](), Reads(), asyncio.Event()

    async def read_slowly() -> str:
        await gate.wait()
        return "slow"

    other = asyncio.create_task(once.get("a", read_slowly))
    await wait_until(lambda: once.is_loaded("a") is False and not other.done(), what="the other caller")
    loading = asyncio.create_task(once.load_all({key: partial(reads.read, key) for key in "ab"}))
    await wait_until(lambda: once.is_loaded("b"), what="the other key")
    assert not loading.done()
    gate.set()
    await loading

    assert once.is_loaded("a")
    assert await other == "slow"


async def test_loaded_value_is_returned_without_waiting() -> None:
    once, reads = LoadOnce[str, str](), Reads()

    later = once.get_now_or_later("a", partial(reads.read, "a"), len)
    assert not isinstance(later, int)
    assert await later == 1
    assert once.get_now_or_later("a", partial(reads.read, "a"), len) == 1
    assert reads.turns == [["a"]]


async def test_error_for_a_key_is_raised_where_the_key_is_read() -> None:
    once, reads = LoadOnce[str, str](), Reads()
    await once.load_all({key: partial(reads.read, key) for key in "a12"})

    assert await once.get("a", partial(reads.read, "a")) == "A"
    with pytest.raises(ValueError, match="1"):
        once.get_now_or_later("1", partial(reads.read, "1"), str)
    with pytest.raises(ValueError, match="2"):
        await once.get("2", partial(reads.read, "2"))


async def test_cleared_keys_are_loaded_again() -> None:
    once, reads = LoadOnce[str, str](), Reads()
    once.put("a", "given")
    once.clear()

    assert await once.get("a", partial(reads.read, "a")) == "A"
    assert reads.turns == [["a"]]
