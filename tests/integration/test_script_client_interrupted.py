"""The script client on connections that break, stall or receive unexpected bytes."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
import redis
import redis.asyncio

from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from storage import scripts
from storage.embedded.process import ServerProcess
from storage.hot import pipeline, script_client, store_connection
from storage.hot.script_client import ScriptClient
from storage.keys import concert_keys
from storage.logins.login_sessions import LoginSessions
from tests.support.sale import hold, on_sale, opened, stock
from tests.support.store_proxy import Cut, StoreProxy
from tests.support.waiting import wait_until

CONCERT = ConcertId("proxyconcert")
SESSIONS = {f"session{number}": b"%d:" % number * (1 + number * 7 % 60) for number in range(24)}
REPLY_BYTES = sum(len(b"*2\r\n$13\r\nLOGIN_SESSION\r\n$%d\r\n%b\r\n" % (len(v), v)) for v in SESSIONS.values())
IN_A_MINUTE = 60.0


@pytest_asyncio.fixture
async def proxy(valkey_url: str) -> AsyncIterator[StoreProxy]:
    async with StoreProxy(valkey_url).running() as running:
        yield running


@pytest_asyncio.fixture
async def client(proxy: StoreProxy) -> AsyncIterator[ScriptClient]:
    async with open_client(proxy) as client:
        sessions = LoginSessions(client)
        expires_at = time.time() + IN_A_MINUTE
        await asyncio.gather(
            *[sessions.create(digest, sealed, expires_at=expires_at) for digest, sealed in SESSIONS.items()]
        )
        yield client


@asynccontextmanager
async def open_client(proxy: StoreProxy) -> AsyncIterator[ScriptClient]:
    client = ScriptClient(proxy.url)
    try:
        yield client
    finally:
        await client.aclose()


async def read_sessions(client: ScriptClient) -> dict[str, bytes | None]:
    """Read all sessions in one batch."""
    read = LoginSessions(client).read
    return dict(zip(SESSIONS, await asyncio.gather(*map(read, SESSIONS)), strict=True))


async def test_calls_cut_at_any_byte_get_their_own_replies(client: ScriptClient, proxy: StoreProxy) -> None:
    for after_bytes in (*range(8), *range(8, REPLY_BYTES, 97), REPLY_BYTES - 1):
        proxy.cut_replies(after_bytes)
        before = proxy.accepted
        assert await read_sessions(client) == SESSIONS
        assert proxy.accepted == before + 1


async def test_replies_that_arrive_byte_by_byte_are_read(client: ScriptClient, proxy: StoreProxy) -> None:
    proxy.splits_replies = True
    assert await read_sessions(client) == SESSIONS
    assert proxy.accepted == 1


@pytest.mark.parametrize("after_bytes", [0, 1_000, REPLY_BYTES - 1], ids=["nothing", "half", "all but a byte"])
async def test_half_a_reply_times_out_and_is_repeated(
    proxy: StoreProxy, client: ScriptClient, monkeypatch: pytest.MonkeyPatch, after_bytes: int
) -> None:
    monkeypatch.setattr(script_client, "TIMEOUT_S", 1.0)
    async with open_client(proxy) as impatient:
        assert await read_sessions(impatient) == SESSIONS
        before = proxy.accepted
        proxy.cut_replies(after_bytes, Cut.STALL)
        assert await read_sessions(impatient) == SESSIONS
        assert proxy.accepted == before + 1


async def test_late_replies_of_a_silent_store_reach_no_other_call(
    proxy: StoreProxy, client: ScriptClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script_client, "TIMEOUT_S", 0.2)
    async with open_client(proxy) as impatient:
        sessions = LoginSessions(impatient)
        await wait_until(lambda: answers(impatient), what="an answer")
        proxy.fall_silent()
        with pytest.raises(TemporarilyUnavailable):
            await sessions.read("session1")
        proxy.answer_again()
        await wait_until(lambda: answers(impatient), what="an answer")
    assert await read_sessions(client) == SESSIONS


async def answers(client: ScriptClient) -> bool:
    """Return whether the client answers in time, and check the answer."""
    try:
        assert await LoginSessions(client).read("session7") == SESSIONS["session7"]
    except TemporarilyUnavailable:
        return False
    return True


def stand_still_until_called(url: str) -> None:
    """Block the event loop until the store has executed a script, and longer than `TIMEOUT_S`."""
    with redis.Redis.from_url(url) as control:
        while "cmdstat_evalsha" not in control.info("commandstats"):
            time.sleep(0.01)
    time.sleep(0.5)


async def test_standstill_of_the_process_is_not_a_timeout(
    proxy: StoreProxy, client: ScriptClient, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reply arrives while the process stands still, and is read before the timeout counts."""
    monkeypatch.setattr(script_client, "TIMEOUT_S", 0.3)
    direct = ScriptClient(valkey_url)
    sessions = LoginSessions(direct)
    while not await answers(direct):
        pass
    async with redis.asyncio.Redis.from_url(valkey_url) as control:
        await control.config_resetstat()
        reading = asyncio.create_task(sessions.read("session7"))
        for _ in range(3):
            await asyncio.sleep(0)
        stand_still_until_called(valkey_url)
        assert await reading == SESSIONS["session7"]
        assert (await control.info("commandstats"))["cmdstat_evalsha"]["calls"] == 1
    await direct.aclose()


async def test_canceled_calls_shift_no_replies(client: ScriptClient, proxy: StoreProxy) -> None:
    proxy.fall_silent()
    calls = [asyncio.create_task(LoginSessions(client).read(digest)) for digest in SESSIONS]
    await asyncio.sleep(0.01)
    for call in calls[::3]:
        call.cancel()
    proxy.answer_again()
    found = await asyncio.gather(*calls, return_exceptions=True)
    kept = [sealed for number, sealed in enumerate(SESSIONS.values()) if number % 3]
    assert [sealed for sealed in found if isinstance(sealed, bytes)] == kept
    assert await read_sessions(client) == SESSIONS
    assert proxy.accepted == 1


@pytest.mark.parametrize("reply", [b"+EXTRA\r\n", b"?\r\n", b"$3\r\nhalf"], ids=["extra", "not RESP", "half"])
async def test_unexpected_bytes_close_the_connection(client: ScriptClient, proxy: StoreProxy, reply: bytes) -> None:
    proxy.inject(reply)
    assert await read_sessions(client) == SESSIONS
    await wait_until(lambda: proxy.accepted == 2, what="the new connection")
    assert await read_sessions(client) == SESSIONS


async def test_loss_of_an_idle_connection_costs_no_repetition(client: ScriptClient, proxy: StoreProxy) -> None:
    proxy.reset_connections()
    for _ in range(5):
        await asyncio.sleep(0)
    proxy.cut_replies(0)
    assert await read_sessions(client) == SESSIONS
    assert proxy.accepted == 3


async def test_second_broken_connection_fails_the_calls(client: ScriptClient, proxy: StoreProxy) -> None:
    proxy.target_url = "redis://127.0.0.1:1/0"
    proxy.reset_connections()
    found = await asyncio.gather(*map(LoginSessions(client).read, SESSIONS), return_exceptions=True)
    assert {type(answer) for answer in found} == {TemporarilyUnavailable}


async def test_large_replies_let_other_tasks_run(client: ScriptClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_connection, "MAX_SLICE_S", 0.0)
    turns = 0
    answered_in = list[int]()

    async def count_turns() -> None:
        nonlocal turns
        while len(answered_in) < len(SESSIONS):
            turns += 1
            await asyncio.sleep(0)

    async def read(digest: str) -> None:
        assert await LoginSessions(client).read(digest) == SESSIONS[digest]
        answered_in.append(turns)

    await asyncio.gather(count_turns(), *map(read, SESSIONS))
    assert len(set(answered_in)) == len(SESSIONS)


async def test_failover_behind_one_address_is_a_new_incarnation(
    proxy: StoreProxy, client: ScriptClient, shared_redis7: ServerProcess
) -> None:
    """The new store has a copy of the concert, which it must not apply before a recovery."""
    copied = await incarnation_of(proxy.target_url)
    await trust(proxy.target_url, copied)
    assert await probe(client) == "UNRECORDED"
    await trust(shared_redis7.url, copied)
    proxy.target_url = shared_redis7.url
    proxy.cut_replies(0)
    assert await probe(client) == "RECOVERING"
    await trust(shared_redis7.url, await incarnation_of(shared_redis7.url))
    assert await probe(client) == "UNRECORDED"


async def test_incarnation_that_changes_on_an_open_connection_is_seen(client: ScriptClient, proxy: StoreProxy) -> None:
    """A promotion keeps the connections but changes the replication id."""
    await trust(proxy.target_url, await incarnation_of(proxy.target_url))
    assert await probe(client) == "UNRECORDED"
    before = await incarnation_of(proxy.target_url)
    async with redis.asyncio.Redis.from_url(proxy.target_url) as control:
        await control.execute_command("REPLICAOF", "127.0.0.1", "1")
        await control.execute_command("REPLICAOF", "NO", "ONE")
    assert await incarnation_of(proxy.target_url) != before
    await wait_until(lambda: is_refused(client), what="the new incarnation")
    assert proxy.accepted == 1


async def is_refused(client: ScriptClient) -> bool:
    return await probe(client) == "RECOVERING"


async def test_incarnation_is_read_with_a_batch_before_it_is_old(
    client: ScriptClient, proxy: StoreProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    await read_sessions(client)
    async with redis.asyncio.Redis.from_url(proxy.target_url) as control:
        for refresh_s, age_s, infos in [(60.0, 60.0, 0), (0.0, 60.0, 1), (0.0, 0.0, 1)]:
            monkeypatch.setattr(pipeline, "INCARNATION_REFRESH_S", refresh_s)
            monkeypatch.setattr(pipeline, "INCARNATION_MAX_AGE_S", age_s)
            await control.config_resetstat()
            assert await read_sessions(client) == SESSIONS
            stats = await control.info("commandstats")
            assert stats.get("cmdstat_info", {"calls": 0})["calls"] == infos, (refresh_s, age_s)


async def test_lost_scripts_are_sent_once_for_all_calls(client: ScriptClient, proxy: StoreProxy) -> None:
    async with redis.asyncio.Redis.from_url(proxy.target_url) as control:
        await control.script_flush()
        await control.config_resetstat()
        assert await read_sessions(client) == SESSIONS
        stats = await control.info("commandstats")
    assert stats["cmdstat_eval"]["calls"] == 1
    assert stats["cmdstat_evalsha"]["calls"] == 2 * len(SESSIONS) - 1


@pytest.mark.parametrize("is_connected", [False, True], ids=["while connecting", "while waiting"])
async def test_client_of_a_silent_store_can_be_closed(proxy: StoreProxy, *, is_connected: bool) -> None:
    client = ScriptClient(proxy.url)
    if is_connected:
        assert await LoginSessions(client).read("unknown") is None
    proxy.fall_silent()
    calls = [asyncio.create_task(LoginSessions(client).read(digest)) for digest in SESSIONS]
    await wait_until(lambda: proxy.accepted == 1, what="the connection")
    await client.aclose()
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(answer) for answer in found} == {TemporarilyUnavailable}


async def test_closed_client_refuses_calls(client: ScriptClient) -> None:
    await client.aclose()
    with pytest.raises(TemporarilyUnavailable, match="This server is stopping"):
        await LoginSessions(client).read("session1")


async def test_holds_cut_in_the_middle_are_taken_once(proxy: StoreProxy, mongo_url: str, mongo_database: str) -> None:
    async with opened(proxy.url, mongo_url, mongo_database) as stores:
        concert = await on_sale(stores, 100)
        for round_, after_bytes in enumerate((0, 500, 3_000)):
            proxy.cut_replies(after_bytes)
            made = await asyncio.gather(
                *[hold(stores, concert, 1, who=f"buyer{round_}-{number}") for number in range(20)]
            )
            assert len({unit for one in made for unit in one.units}) == 20
        assert await stock(stores, concert) == [(40, 60, 0)]


async def probe(client: ScriptClient) -> str:
    """Call a script that only checks the incarnation, and return its word."""
    return (await client.call(scripts.FIND_UNRECORDED, CONCERT))[0]


async def trust(url: str, incarnation: str) -> None:
    """Write the state of a concert that was checked in this incarnation of a store."""
    async with redis.asyncio.Redis.from_url(url) as control:
        state = concert_keys(CONCERT)[0]
        await control.hset(state, mapping={"now_ms": 1, "incarnation": incarnation})
        await control.expire(state, 60)


async def incarnation_of(url: str) -> str:
    async with redis.asyncio.Redis.from_url(url, decode_responses=True) as control:
        return f"{(await control.info('server'))['run_id']}-{(await control.info('replication'))['master_replid']}"
