"""The client for the hot store: shared round trips, incarnations, failures and closing."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import redis.asyncio
from redis.exceptions import ResponseError

from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from storage import scripts
from storage.connect import Stores
from storage.embedded.process import ServerProcess
from storage.hot import script_client
from storage.hot.script_client import MAX_WAITING, ScriptClient
from storage.keys import concert_keys
from storage.scripts import Script, ScriptReplyError
from tests.support.sale import hold, on_sale, stock
from tests.support.store_copies import restart
from tests.support.waiting import wait_until

UNKNOWN = ConcertId("nosuchconcer")
BROKEN = ConcertId("brokenconcer")
FOREVER_MS = "600000"
"""Longer than any test."""


@pytest_asyncio.fixture
async def client(own_valkey: ServerProcess) -> AsyncIterator[ScriptClient]:
    made = ScriptClient(own_valkey.url)
    yield made
    await made.aclose()


async def reads_of(client: ScriptClient) -> int:
    text = (await client.run_command("INFO", "stats")).decode()
    return int(text.split("total_reads_processed:")[1].split()[0])


async def test_concurrent_calls_share_a_round_trip(client: ScriptClient) -> None:
    await client.call(scripts.READ_STOCK, UNKNOWN)
    before = await reads_of(client)
    answers = await asyncio.gather(*[client.call(scripts.READ_STOCK, UNKNOWN) for _ in range(100)])
    assert {word for word, _ in answers} == {"UNKNOWN"}
    # The server reads the 60 KiB in a few pieces; separate calls would take a hundred reads.
    assert await reads_of(client) - before <= 50


async def test_a_restarted_store_has_a_new_incarnation(own_stores: Stores, own_valkey: ServerProcess) -> None:
    concert = await on_sale(own_stores, 5)
    before = await own_stores.script_client.call(scripts.READ_STOCK, concert.id)
    await restart(own_valkey)
    after = await own_stores.script_client.call(scripts.READ_STOCK, concert.id)
    assert (before[0], after[0]) == ("STOCK", "RECOVERING")


async def test_a_call_to_a_stopped_store_fails_before_the_timeout(
    own_valkey: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script_client, "TIMEOUT_S", 600.0)
    client = ScriptClient(own_valkey.url)
    await own_valkey.kill()
    with pytest.raises(TemporarilyUnavailable):
        await client.call(scripts.READ_STOCK, UNKNOWN)
    await own_valkey.start()
    assert (await client.call(scripts.READ_STOCK, UNKNOWN))[0] == "UNKNOWN"
    await client.aclose()


async def test_a_call_to_a_hanging_store_times_out(own_valkey: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    async with redis.asyncio.Redis.from_url(own_valkey.url) as control:
        await control.execute_command("CLIENT", "PAUSE", FOREVER_MS, "ALL")
    monkeypatch.setattr(script_client, "TIMEOUT_S", 0.1)
    client = ScriptClient(own_valkey.url)
    with pytest.raises(TemporarilyUnavailable):
        await client.call(scripts.READ_STOCK, UNKNOWN)
    await client.aclose()


async def test_a_store_demoted_to_a_replica_is_recovered_later(own_stores: Stores) -> None:
    """A READONLY error closes the connection; the promotion changes the replication id."""
    concert = await on_sale(own_stores, 5)
    await own_stores.script_client.run_command("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(TemporarilyUnavailable):
        await hold(own_stores, concert, 1, with_key="k")
    await own_stores.script_client.run_command("REPLICAOF", "NO", "ONE")
    await wait_until(lambda: _is_held(own_stores, concert), what="the hold")


async def _is_held(stores: Stores, concert: Concert) -> bool:
    try:
        await hold(stores, concert, 1, with_key="k")
        return await stock(stores, concert) == [(4, 1, 0)]
    except TemporarilyUnavailable:
        return False


async def test_an_error_in_one_call_does_not_fail_the_others(client: ScriptClient) -> None:
    await client.run_command("SET", concert_keys(BROKEN)[0], "not a hash")
    good, bad = client.call(scripts.READ_STOCK, UNKNOWN), client.call(scripts.READ_STOCK, BROKEN)
    first, second = await asyncio.gather(good, bad, return_exceptions=True)
    assert first == ("UNKNOWN", [])
    assert isinstance(second, ResponseError)


async def test_an_undeclared_reply_is_an_error(client: ScriptClient) -> None:
    strict = Script("read_stock", ("incarnation",), frozenset({"STOCK"}))
    with pytest.raises(ScriptReplyError):
        await client.call(strict, UNKNOWN)


async def test_calls_beyond_the_limit_are_refused(client: ScriptClient) -> None:
    calls = [asyncio.ensure_future(client.call(scripts.READ_STOCK, UNKNOWN)) for _ in range(MAX_WAITING + 10)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, TemporarilyUnavailable) for answer in answers) == 10
    assert sum(answer == ("UNKNOWN", []) for answer in answers) == MAX_WAITING


async def test_calls_in_progress_fail_when_the_client_closes(own_valkey: ServerProcess) -> None:
    client = ScriptClient(own_valkey.url)
    await client.call(scripts.READ_STOCK, UNKNOWN)
    await client.run_command("CLIENT", "PAUSE", FOREVER_MS, "ALL")
    waiting = asyncio.create_task(client.call(scripts.READ_STOCK, UNKNOWN))
    await asyncio.sleep(0)
    await client.aclose()
    with pytest.raises(TemporarilyUnavailable):
        await waiting


@pytest.mark.parametrize("turns", range(12))
async def test_a_client_can_be_closed_at_every_step_of_a_call(own_valkey: ServerProcess, turns: int) -> None:
    """Python 3.11 can lose a cancellation that arrives just as a send completes."""
    client = ScriptClient(own_valkey.url)
    await client.call(scripts.READ_STOCK, UNKNOWN)
    calls = [asyncio.create_task(client.call(scripts.READ_STOCK, UNKNOWN)) for _ in range(3)]
    for _ in range(turns):
        await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await client.aclose()
    await asyncio.gather(*calls, return_exceptions=True)
