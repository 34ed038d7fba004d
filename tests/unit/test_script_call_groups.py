"""Calls of a script that takes several share its runs, and each gets its own reply or error."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.exceptions import ResponseError

from domain.errors import TemporarilyUnavailable
from storage import scripts
from storage.hot.pipeline import Call, group_calls
from storage.hot.script_client import ScriptClient
from storage.keys import concert_keys
from storage.scripts import Script, ScriptReplyError
from tests.support.fake_store import FakeStore
from tests.support.snapshots import CONCERT

OTHER = concert_keys(type(CONCERT.id)("otherconcert"))
KEYS = concert_keys(CONCERT.id)
HOLD, READ = scripts.HOLD_TICKETS, scripts.READ_STOCK
CONFLICT, LIMIT = b"*1\r\n$8\r\nCONFLICT\r\n", b"*2\r\n$11\r\nORDER_LIMIT\r\n:4\r\n"


async def calls_of(*given: tuple[Script, tuple[str, ...]]) -> list[Call]:
    loop = asyncio.get_running_loop()
    return [Call(script, keys, (f"call{number}",), loop.create_future()) for number, (script, keys) in enumerate(given)]


def numbers(calls: Iterable[Call], within: list[Call]) -> list[int]:
    return [within.index(call) for call in calls]


@pytest.mark.parametrize(
    ("given", "most", "expected"),
    [
        ([(HOLD, KEYS)] * 5, 2, [[0, 1], [2, 3], [4]]),
        ([(HOLD, KEYS)] * 3, 1, [[0], [1], [2]]),
        ([(HOLD, KEYS), (HOLD, OTHER), (HOLD, KEYS)], 64, [[1], [0, 2]]),
        ([(READ, KEYS), (HOLD, KEYS), (READ, KEYS), (HOLD, KEYS)], 64, [[0], [2], [1, 3]]),
        ([(READ, KEYS)] * 2, 64, [[0], [1]]),
        ([], 64, []),
    ],
    ids=["bound", "off", "concerts", "after other calls", "one call each", "none"],
)
async def test_calls_are_grouped_by_concert_in_their_order(
    given: list[tuple[Script, tuple[str, ...]]], most: int, expected: list[list[int]]
) -> None:
    calls = await calls_of(*given)
    assert [numbers(command.calls, calls) for command in group_calls(calls, most=most)] == expected


@asynccontextmanager
async def client_of(reply_to: Callable[[int], bytes]) -> AsyncIterator[tuple[ScriptClient, FakeStore]]:
    store = FakeStore(reply_to)
    async with store.running():
        client = ScriptClient(store.url)
        try:
            yield client, store
        finally:
            await client.aclose()


async def hold(client: ScriptClient, *words: Any) -> object:
    return await client.call(HOLD, CONCERT.id, *(words or ("hold", "ann")))


async def hold_three(client: ScriptClient, *second: Any) -> list[object]:
    """Hold three times in one run, the second time with these words."""
    calls = [hold(client), hold(client, *second), hold(client)]
    return await asyncio.gather(*calls, return_exceptions=True)


def replies(*given: bytes) -> Callable[[int], bytes]:
    return lambda number: given[number]


async def test_each_call_gets_its_own_reply() -> None:
    async with client_of(replies(b"*3\r\n" + CONFLICT + LIMIT + CONFLICT)) as (client, store):
        assert await hold_three(client) == [("CONFLICT", []), ("ORDER_LIMIT", [4]), ("CONFLICT", [])]
        assert len(store.incarnations) == 1


async def test_call_that_cannot_be_encoded_fails_alone() -> None:
    async with client_of(replies(b"*2\r\n" + CONFLICT + LIMIT)) as (client, store):
        first, second, third = await hold_three(client, "hold", "\ud800")
        assert (first, third) == (("CONFLICT", []), ("ORDER_LIMIT", [4]))
        assert isinstance(second, UnicodeEncodeError)
        with pytest.raises(TypeError):
            await hold(client, "hold", None)
        assert len(store.incarnations) == 1


async def test_run_that_fails_is_repeated_for_each_call_alone() -> None:
    broken = b"-ERR user_script:1: attempt to index a nil value\r\n"
    answers = replies(broken, b"*1\r\n" + CONFLICT, broken, b"*1\r\n" + LIMIT)
    async with client_of(answers) as (client, store):
        first, second, third = await hold_three(client)
        assert (first, third) == (("CONFLICT", []), ("ORDER_LIMIT", [4]))
        assert isinstance(second, ResponseError)
        assert len(store.incarnations) == 4


@pytest.mark.parametrize("code", ["OOM", "MISCONF", "NOREPLICAS", "BUSY"])
async def test_run_refused_by_a_full_store_is_not_repeated(code: str) -> None:
    async with client_of(replies(f"-{code} for this reason\r\n".encode())) as (client, store):
        assert {type(answer) for answer in await hold_three(client)} == {TemporarilyUnavailable}
        assert len(store.incarnations) == 1


async def test_calls_of_an_unfinished_run_are_told_to_recover(caplog: pytest.LogCaptureFixture) -> None:
    async with client_of(replies(b"-UNFINISHED WRONGTYPE for this reason\r\n")) as (client, store):
        with caplog.at_level(logging.ERROR):
            assert await hold_three(client) == [("RECOVERING", [])] * 3
        assert len(store.incarnations) == 1
    assert "hold_tickets failed after its first write" in caplog.text


async def test_run_with_another_number_of_replies_fails_its_calls() -> None:
    async with client_of(replies(b"*1\r\n" + CONFLICT)) as (client, _):
        assert {type(answer) for answer in await hold_three(client)} == {ScriptReplyError}


async def test_canceled_call_leaves_the_replies_of_the_others() -> None:
    async with client_of(replies(b"*3\r\n" + CONFLICT + CONFLICT + LIMIT)) as (client, _):
        calls = [asyncio.ensure_future(hold(client)) for _ in range(3)]
        await asyncio.sleep(0)
        calls[1].cancel()
        first, second, third = await asyncio.gather(*calls, return_exceptions=True)
        assert (first, third) == (("CONFLICT", []), ("ORDER_LIMIT", [4]))
        assert isinstance(second, asyncio.CancelledError)
