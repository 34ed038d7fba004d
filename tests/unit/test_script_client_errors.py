"""Errors of a store, and what the script client makes of each."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from redis.exceptions import RedisError, ResponseError

from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from storage import scripts
from storage.hot.script_client import ScriptClient
from storage.scripts import ScriptReplyError
from tests.support.fake_store import INFO, FakeStore

CONCERT = ConcertId("fakeconcert")
ROOM, STOCK = b"*1\r\n$4\r\nROOM\r\n", b"*3\r\n$5\r\nSTOCK\r\n:7\r\n$0\r\n\r\n"
LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"


@asynccontextmanager
async def client_of(store: FakeStore) -> AsyncIterator[ScriptClient]:
    async with store.running():
        client = ScriptClient(store.url)
        try:
            yield client
        finally:
            await client.aclose()


def replies(*given: bytes, then: bytes = STOCK) -> Callable[[int], bytes]:
    return lambda number: given[number] if number < len(given) else then


async def read_stock(client: ScriptClient) -> object:
    return await client.call(scripts.READ_STOCK, CONCERT)


async def read_three(client: ScriptClient) -> list[object]:
    """Make three calls in one batch. Return the reply to each, or its error."""
    return await asyncio.gather(*[read_stock(client) for _ in range(3)], return_exceptions=True)


async def test_reply_is_its_word_and_the_values_after_it() -> None:
    async with client_of(FakeStore(replies())) as client:
        assert await read_stock(client) == ("STOCK", [7, b""])


async def test_reply_with_an_undeclared_word_fails_its_call_alone() -> None:
    async with client_of(FakeStore(replies(STOCK, ROOM))) as client:
        first, second, third = await read_three(client)
        assert first == third == ("STOCK", [7, b""])
        assert isinstance(second, ScriptReplyError)


@pytest.mark.parametrize("code", ["OOM", "MISCONF", "NOREPLICAS", "BUSY", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN"])
async def test_store_that_accepts_no_writes_is_unavailable(code: str) -> None:
    store = FakeStore(replies(STOCK, f"-{code} for this reason\r\n".encode()))
    async with client_of(store) as client:
        first, second, third = await read_three(client)
        assert first == third == ("STOCK", [7, b""])
        assert isinstance(second, TemporarilyUnavailable)
        assert str(second.__cause__) == f"{code} for this reason"
    assert (store.connections, len(store.incarnations)) == (1, 3)


@pytest.mark.parametrize("code", ["WRONGTYPE", "ERR", "MOVED", "NOPERM", "BUSYKEY"])
async def test_any_other_error_is_raised_unchanged(code: str) -> None:
    store = FakeStore(replies(STOCK, f"-{code} for this reason\r\n".encode()))
    async with client_of(store) as client:
        first, second, third = await read_three(client)
        assert first == third == ("STOCK", [7, b""])
        assert isinstance(second, ResponseError)
        assert str(second) == f"{code} for this reason"
    assert store.connections == 1


@pytest.mark.parametrize("code", ["READONLY", "LOADING", "NOAUTH"])
async def test_refusing_store_is_left_and_open_calls_are_repeated(code: str) -> None:
    store = FakeStore(replies(STOCK, f"-{code} for this reason\r\n".encode()))
    async with client_of(store) as client:
        assert await read_three(client) == [("STOCK", [7, b""])] * 3
    assert (store.connections, len(store.incarnations)) == (2, 5)


async def test_store_that_refuses_twice_is_unavailable() -> None:
    store = FakeStore(replies(*[LOADING] * 6))
    async with client_of(store) as client:
        assert {type(answer) for answer in await read_three(client)} == {TemporarilyUnavailable}
        assert await read_three(client) == [("STOCK", [7, b""])] * 3


async def test_call_with_its_source_may_be_refused_too() -> None:
    store = FakeStore(replies(b"-NOSCRIPT No matching script\r\n", b"-OOM too full\r\n"))
    async with client_of(store) as client:
        with pytest.raises(TemporarilyUnavailable):
            await read_stock(client)
        assert await read_stock(client) == ("STOCK", [7, b""])
    assert store.connections == 1


async def test_script_lost_again_and_again_is_sent_until_it_runs() -> None:
    lost = b"-NOSCRIPT No matching script\r\n"
    # Three calls lose their script, then two, then one.
    store = FakeStore(replies(lost, lost, lost, STOCK, lost, lost, STOCK, lost, STOCK))
    async with client_of(store) as client:
        assert await read_three(client) == [("STOCK", [7, b""])] * 3
    assert (store.connections, len(store.incarnations)) == (1, 9)


@pytest.mark.parametrize("info", [b"run_id:only\r\n", b""], ids=["half", "none"])
async def test_store_without_an_incarnation_gets_no_calls(info: bytes) -> None:
    store = FakeStore(replies(), info=info)
    async with client_of(store) as client:
        with pytest.raises(RedisError, match="INFO has no"):
            await read_stock(client)
    assert store.incarnations == []


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (b"-NOPERM User ann has no permissions to run the 'info' command\r\n", ResponseError),
        # A store that runs a long script of another client refuses nearly all commands.
        (b"-BUSY Redis is busy running a script\r\n", TemporarilyUnavailable),
    ],
    ids=["forbidden", "busy"],
)
async def test_store_that_refuses_info_gets_no_calls(refusal: bytes, error: type[Exception]) -> None:
    store = FakeStore(replies())
    store.info = refusal
    async with client_of(store) as client:
        assert {type(answer) for answer in await read_three(client)} == {error}
    assert store.incarnations == []


async def test_repeated_call_carries_the_incarnation_of_its_new_connection() -> None:
    def reply_to(number: int) -> bytes:
        if number == 0:
            store.info = store.info.replace(b"run1", b"run2")
            return LOADING
        return STOCK

    store = FakeStore(reply_to, info=INFO % b"run1")
    async with client_of(store) as client:
        assert await read_stock(client) == ("STOCK", [7, b""])
    assert store.incarnations == ["run1-replid", "run2-replid"]


async def test_calls_that_cannot_be_encoded_fail_alone() -> None:
    store = FakeStore(replies())
    async with client_of(store) as client:
        bad = [client.call(scripts.READ_PERSON, CONCERT, text) for text in ("\ud800", "\udfff")]
        first, second, good = await asyncio.gather(*bad, read_stock(client), return_exceptions=True)
        assert isinstance(first, UnicodeEncodeError)
        assert isinstance(second, UnicodeEncodeError)
        assert good == ("STOCK", [7, b""])
        with pytest.raises(UnicodeEncodeError):
            await client.call(scripts.READ_PERSON, CONCERT, "\ud800")
        assert await read_stock(client) == ("STOCK", [7, b""])
    assert store.connections == 1
