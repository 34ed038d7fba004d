"""The way to the hot store: shared round trips, fresh incarnations, failures that stay apart, an end for everything."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from redis.exceptions import ResponseError

from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from storage import scripts
from storage.connect import Stores
from storage.embedded.process import ServerProcess
from storage.hot.script_client import MAX_WAITING, ScriptClient
from storage.keys import concert_keys
from storage.scripts import Script, ScriptReplyError
from tests.support.sale import hold, on_sale, opened, stock
from tests.support.waiting import wait_until

NOBODY = ConcertId("nosuchconcer")
BROKEN = ConcertId("brokenconcer")


@pytest_asyncio.fixture
async def client(own_valkey: ServerProcess) -> AsyncIterator[ScriptClient]:
    made = ScriptClient(own_valkey.url)
    yield made
    await made.aclose()


async def reads_of(client: ScriptClient) -> int:
    text = (await client.run_command("INFO", "stats")).decode()
    return int(text.split("total_reads_processed:")[1].split()[0])


async def test_calls_of_one_turn_share_a_round_trip(client: ScriptClient) -> None:
    await client.call(scripts.READ_STOCK, NOBODY)
    before = await reads_of(client)
    answers = await asyncio.gather(*[client.call(scripts.READ_STOCK, NOBODY) for _ in range(100)])
    assert {word for word, _ in answers} == {"UNKNOWN"}
    # The server reads 16 KiB at a time: some 60 KiB of calls, and the INFO that asks.
    assert await reads_of(client) - before <= 15


async def test_a_restarted_store_is_seen_as_another(
    own_valkey: ServerProcess, mongo_url: str, mongo_database: str
) -> None:
    async with opened(own_valkey.url, mongo_url, mongo_database) as stores:
        concert = await on_sale(stores, 5)
        believed = await stores.script_client.call(scripts.READ_STOCK, concert.id)
        await own_valkey.kill()
        await own_valkey.start()
        doubted = await stores.script_client.call(scripts.READ_STOCK, concert.id)
        assert (believed[0], doubted[0]) == ("STOCK", "RECOVERING")


async def test_call_to_an_absent_store_is_refused_at_once(client: ScriptClient, own_valkey: ServerProcess) -> None:
    await own_valkey.kill()
    async with asyncio.timeout(2):
        with pytest.raises(TemporarilyUnavailable):
            await client.call(scripts.READ_STOCK, NOBODY)
    await own_valkey.start()
    assert (await client.call(scripts.READ_STOCK, NOBODY))[0] == "UNKNOWN"


async def test_a_store_that_hangs_is_left_in_time(client: ScriptClient) -> None:
    await client.run_command("CLIENT", "PAUSE", "20000", "ALL")
    async with asyncio.timeout(10):
        with pytest.raises(TemporarilyUnavailable):
            await client.call(scripts.READ_STOCK, NOBODY)


async def test_a_store_demoted_to_replica_is_refused_and_believed_again_later(
    own_valkey: ServerProcess, mongo_url: str, mongo_database: str
) -> None:
    """READONLY closes the connection; the replication id that came with the promotion tells of another past."""
    async with opened(own_valkey.url, mongo_url, mongo_database) as stores:
        concert = await on_sale(stores, 5)
        await stores.script_client.run_command("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(TemporarilyUnavailable):
            await hold(stores, concert, 1, with_key="k")
        await stores.script_client.run_command("REPLICAOF", "NO", "ONE")
        await wait_until(lambda: _is_held(stores, concert), timeout=10, what="the hold")


async def _is_held(stores: Stores, concert: Concert) -> bool:
    try:
        await hold(stores, concert, 1, with_key="k")
        return await stock(stores, concert) == [(4, 1, 0)]
    except TemporarilyUnavailable:
        return False


async def test_an_error_of_one_call_is_its_own(client: ScriptClient) -> None:
    await client.run_command("SET", concert_keys(BROKEN)[0], "not a hash")
    good, bad = client.call(scripts.READ_STOCK, NOBODY), client.call(scripts.READ_STOCK, BROKEN)
    first, second = await asyncio.gather(good, bad, return_exceptions=True)
    assert first == ("UNKNOWN", [])
    assert isinstance(second, ResponseError)


async def test_an_unknown_word_is_an_error(client: ScriptClient) -> None:
    strict = Script("read_stock", ("incarnation",), frozenset({"STOCK"}))
    with pytest.raises(ScriptReplyError):
        await client.call(strict, NOBODY)


async def test_beyond_the_bound_callers_are_told_to_come_back(client: ScriptClient) -> None:
    calls = [asyncio.ensure_future(client.call(scripts.READ_STOCK, NOBODY)) for _ in range(MAX_WAITING + 10)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, TemporarilyUnavailable) for answer in answers) == 10
    assert sum(answer == ("UNKNOWN", []) for answer in answers) == MAX_WAITING


async def test_closing_refuses_what_waits(own_valkey: ServerProcess) -> None:
    client = ScriptClient(own_valkey.url)
    await client.call(scripts.READ_STOCK, NOBODY)
    await client.run_command("CLIENT", "PAUSE", "2000", "ALL")
    waiting = asyncio.create_task(client.call(scripts.READ_STOCK, NOBODY))
    await asyncio.sleep(0)
    await client.aclose()
    with pytest.raises(TemporarilyUnavailable):
        await waiting


@pytest.mark.parametrize("turns", range(12))
async def test_a_link_closes_at_every_step_of_a_call(own_valkey: ServerProcess, turns: int) -> None:
    """Python 3.11 loses a cancellation that meets the end of a send."""
    client = ScriptClient(own_valkey.url)
    await client.call(scripts.READ_STOCK, NOBODY)
    calls = [asyncio.create_task(client.call(scripts.READ_STOCK, NOBODY)) for _ in range(3)]
    for _ in range(turns):
        await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await client.aclose()
    await asyncio.gather(*calls, return_exceptions=True)
