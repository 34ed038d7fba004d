"""Calls to a silent store are refused at once. One probe runs, and no refused call is sent."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import redis.asyncio

from domain.errors import TemporarilyUnavailable
from storage import silence
from storage.hot import script_client
from storage.hot.script_client import PIPELINES, ScriptClient
from storage.logins.login_sessions import LoginSessions
from tests.support.store_proxy import Cut, StoreProxy
from tests.support.waiting import wait_until

NEVER_S = 600.0
"""Longer than any test, so a call that waits for its timeout fails the test."""
SOON_S = 0.05


@pytest_asyncio.fixture
async def proxy(valkey_url: str) -> AsyncIterator[StoreProxy]:
    async with StoreProxy(valkey_url).running() as proxy:
        yield proxy


@pytest_asyncio.fixture
async def client(proxy: StoreProxy, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ScriptClient]:
    """A client that notices silence soon and never runs into a timeout."""
    monkeypatch.setattr(script_client, "TIMEOUT_S", NEVER_S)
    monkeypatch.setattr(silence, "SILENT_AFTER_S", SOON_S)
    made = ScriptClient(proxy.url)
    await wait_until(lambda: is_answered(made), what="the connection")
    yield made
    await made.aclose()


async def read(client: ScriptClient, digest: str = "none") -> object:
    return await LoginSessions(client).read(digest)


async def is_refused(client: ScriptClient) -> bool:
    try:
        await read(client)
    except TemporarilyUnavailable as error:
        return error.retry_after_s == silence.RETRY_AFTER_S
    return False


async def is_answered(client: ScriptClient) -> bool:
    try:
        return await read(client) is None
    except TemporarilyUnavailable:
        return False


async def start_batches(client: ScriptClient) -> list["asyncio.Task[object]"]:
    """Send one call through each pipeline. The store does not answer them."""
    sent = []
    for number in range(PIPELINES):
        sent.append(asyncio.create_task(read(client, f"sent{number}")))
        for _ in range(3):
            await asyncio.sleep(0)
    return sent


async def commands_of(url: str) -> int:
    """Return how many script calls the store has executed since its statistics were reset."""
    async with redis.asyncio.Redis.from_url(url) as control:
        stats = await control.info("commandstats")
    return sum(stats[name]["calls"] for name in ("cmdstat_evalsha", "cmdstat_eval") if name in stats)


async def test_waiting_and_new_calls_are_refused_before_any_timeout(proxy: StoreProxy, client: ScriptClient) -> None:
    proxy.fall_silent()
    async with redis.asyncio.Redis.from_url(proxy.target_url) as control:
        await control.config_resetstat()
    sent = await start_batches(client)
    waiting = [asyncio.create_task(read(client)) for _ in range(1_000)]
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(answer) for answer in answers} == {TemporarilyUnavailable}
    assert await is_refused(client)
    assert not any(task.done() for task in sent)
    proxy.answer_again()
    assert await asyncio.gather(*sent) == [None] * PIPELINES
    await wait_until(lambda: is_answered(client), what="an answer")
    # The calls that were sent, the last one, and on a slow machine some probes; none of the 1,000.
    assert await commands_of(proxy.target_url) < 100


async def test_one_probe_at_a_time_looks_for_the_store(
    proxy: StoreProxy, client: ScriptClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls that were sent fail at their timeout, and are not repeated one after another."""
    monkeypatch.setattr(script_client, "TIMEOUT_S", 0.2)
    impatient = ScriptClient(proxy.url)
    await wait_until(lambda: is_answered(impatient), what="the connection")
    proxy.fall_silent()
    sent = await start_batches(impatient)
    failed = await asyncio.gather(*sent, return_exceptions=True)
    assert {type(answer) for answer in failed} == {TemporarilyUnavailable}
    before = proxy.accepted
    await wait_until(lambda: proxy.accepted >= before + 2, what="the second probe")
    assert proxy.accepted <= before + 3
    assert await is_refused(impatient)
    proxy.answer_again()
    await wait_until(lambda: is_answered(impatient), what="an answer")
    await impatient.aclose()


async def test_probe_on_the_other_pipeline_ends_a_false_silence(proxy: StoreProxy, client: ScriptClient) -> None:
    """A single connection that hangs does not stop the calls through the other one."""
    proxy.cut_replies(0, Cut.STALL)
    hanging = asyncio.create_task(read(client, "hanging"))
    await wait_until(lambda: proxy.cuts == 1, what="the hanging connection")
    await wait_until(lambda: is_answered(client), what="an answer")
    assert not hanging.done()
    hanging.cancel()


async def test_silence_ends_with_the_store(proxy: StoreProxy, client: ScriptClient) -> None:
    """A store that refuses connections is down, not silent: each call finds out by itself."""
    proxy.fall_silent()
    sent = await start_batches(client)
    await wait_until(lambda: is_refused(client), what="the refusal")
    target, proxy.target_url = proxy.target_url, "redis://127.0.0.1:1/0"
    proxy.reset_connections()
    failed = await asyncio.gather(*sent, return_exceptions=True)
    assert {type(answer) for answer in failed} == {TemporarilyUnavailable}
    proxy.answer_again()
    proxy.target_url = target
    await wait_until(lambda: is_answered(client), what="an answer")


async def test_silent_store_is_logged_once(
    proxy: StoreProxy, client: ScriptClient, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.fall_silent()
    sent = await start_batches(client)
    for _ in range(3):
        await wait_until(lambda: is_refused(client), what="the refusal")
    proxy.answer_again()
    await asyncio.gather(*sent)
    await wait_until(lambda: is_answered(client), what="an answer")
    lines = [record.getMessage() for record in caplog.records if record.name == "storage.silence"]
    assert len(lines) == 2
    assert lines[0].startswith("the stock store has not answered for")
    assert lines[1].startswith("the stock store ended a silence of")
