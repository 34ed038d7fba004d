"""The keys that a page expects are loaded together, and once."""

import asyncio
from dataclasses import dataclass, field
from functools import partial

import pytest

from resolvers.load_once import LoadOnce


@dataclass
class Reads:
    """Reads a letter in upper case, or fails for a digit; `turns` has the keys begun in each loop turn."""

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


async def test_expected_keys_are_loaded_in_one_turn_with_the_first() -> None:
    once, reads = LoadOnce[str, str](), Reads()
    once.expect({key: partial(reads.read, key) for key in "abc"})

    assert await once.get("b", partial(reads.read, "b")) == "B"
    assert [await once.get(key, partial(reads.read, key)) for key in "ac"] == ["A", "C"]
    assert [sorted(turn) for turn in reads.turns] == [["a", "b", "c"]]


async def test_another_key_does_not_load_the_expected_ones() -> None:
    once, reads = LoadOnce[str, str](), Reads()
    once.expect({key: partial(reads.read, key) for key in "abc"})

    assert await once.get("z", partial(reads.read, "z")) == "Z"
    assert reads.turns == [["z"]]


async def test_loaded_value_is_shown_at_once() -> None:
    once, reads = LoadOnce[str, str](), Reads()

    later = once.get_now_or_later("a", partial(reads.read, "a"), len)
    assert not isinstance(later, int)
    assert await later == 1
    assert once.get_now_or_later("a", partial(reads.read, "a"), len) == 1
    assert reads.turns == [["a"]]


async def test_wanted_keys_are_loaded_before_they_are_awaited() -> None:
    once, reads = LoadOnce[str, str](), Reads()
    once.expect({key: partial(reads.read, key) for key in "abc"})
    await once.load_wanted()
    assert reads.turns == []

    first = once.get_now_or_later("a", partial(reads.read, "a"), str)
    await once.load_wanted()
    assert once.get_now_or_later("c", partial(reads.read, "c"), str) == "C"
    assert not isinstance(first, str)
    assert await first == "A"
    assert len(reads.turns) == 1


async def test_error_of_an_expected_key_is_raised_for_that_key_alone() -> None:
    once, reads = LoadOnce[str, str](), Reads()
    once.expect({key: partial(reads.read, key) for key in "a12"})

    assert await once.get("a", partial(reads.read, "a")) == "A"
    with pytest.raises(ValueError, match="1"):
        once.get_now_or_later("1", partial(reads.read, "1"), str)
    with pytest.raises(ValueError, match="2"):
        await once.get("2", partial(reads.read, "2"))


async def test_value_that_was_put_is_not_loaded() -> None:
    once, reads = LoadOnce[str, str](), Reads()
    once.put("a", "given")
    once.expect({key: partial(reads.read, key) for key in "ab"})

    assert await once.get("b", partial(reads.read, "b")) == "B"
    assert await once.get("a", partial(reads.read, "a")) == "given"
    assert reads.turns == [["b"]]


async def test_cleared_keys_are_loaded_again() -> None:
    once, reads = LoadOnce[str, str](), Reads()
    once.put("a", "given")
    once.expect({"b": partial(reads.read, "b")})
    once.clear()

    assert await once.get("a", partial(reads.read, "a")) == "A"
    assert reads.turns == [["a"]]
