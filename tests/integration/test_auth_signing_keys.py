"""Fetching the issuer's keys over HTTP: late, broken, huge, rotated or unavailable."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from auth.jwks import MAX_RESPONSE_BYTES
from auth.signing_keys import SigningKeys
from domain.errors import TemporarilyUnavailable
from tests.support.issuers import KeyServer, running_key_server
from tests.support.tokens import jwk
from tests.support.waiting import wait_until

NEVER_S = 3_600.0


@pytest_asyncio.fixture
async def server() -> AsyncIterator[KeyServer]:
    async with running_key_server() as running:
        yield running


async def is_known(keys: SigningKeys, kid: str) -> bool:
    return await keys.find(kid) is not None


async def test_concurrent_callers_share_one_fetch(server: KeyServer) -> None:
    keys = SigningKeys(server.issuer)
    server.gate.clear()
    waiting = [asyncio.create_task(is_known(keys, "k1")) for _ in range(100)]
    await wait_until(lambda: server.key_fetches == 1)
    server.gate.set()
    assert await asyncio.gather(*waiting) == [True] * 100
    assert server.key_fetches == 1


async def test_cancelled_caller_does_not_cancel_the_fetch(server: KeyServer) -> None:
    keys = SigningKeys(server.issuer)
    server.gate.clear()
    cancelled = asyncio.create_task(is_known(keys, "k1"))
    other = asyncio.create_task(is_known(keys, "k1"))
    await wait_until(lambda: server.key_fetches == 1)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    server.gate.set()
    assert await other
    assert server.key_fetches == 1


async def test_unavailable_issuer_is_not_asked_for_each_call(
    server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auth.signing_keys.RETRY_EMPTY_S", NEVER_S)
    keys = SigningKeys(server.issuer, cooldown_s=NEVER_S)
    server.failure = PlainTextResponse("down", 503)
    for _ in range(10):
        with pytest.raises(TemporarilyUnavailable):
            await keys.find("k1")
    assert server.key_fetches == 1


async def test_call_ends_after_the_fetch_timeout(server: KeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auth.signing_keys.FETCH_TIMEOUT_S", 0.05)
    server.gate.clear()
    with pytest.raises(TemporarilyUnavailable):
        await SigningKeys(server.issuer).find("k1")
    server.gate.set()


async def test_keys_are_found_after_the_issuer_recovers(server: KeyServer) -> None:
    keys = SigningKeys(server.issuer, cooldown_s=0)
    server.failure = PlainTextResponse("down", 503)
    with pytest.raises(TemporarilyUnavailable):
        await keys.find("k1")
    server.failure = None
    assert await is_known(keys, "k1")


@pytest.mark.parametrize(
    "failure",
    [
        PlainTextResponse("down", 503),
        PlainTextResponse("not JSON"),
        PlainTextResponse("[" * 100_000),
        PlainTextResponse('["keys"]'),
        PlainTextResponse('{"keys": []}'),
        JSONResponse({"keys": [jwk("k2")], "padding": "x" * MAX_RESPONSE_BYTES}),
        Response(gzip.compress(json.dumps({"keys": [jwk("k2")]}).encode()), headers={"content-encoding": "gzip"}),
        RedirectResponse("/elsewhere"),
    ],
)
async def test_known_keys_survive_every_failed_fetch(
    server: KeyServer, failure: Response, caplog: pytest.LogCaptureFixture
) -> None:
    keys = SigningKeys(server.issuer, cooldown_s=0)
    assert await is_known(keys, "k1")
    server.failure = failure
    assert not await is_known(keys, "k2")
    assert server.key_fetches == 2
    assert await is_known(keys, "k1")
    assert keys.generation == 1
    assert f"signing keys of {server.issuer} could not be fetched" in caplog.text


async def test_known_keys_survive_an_unreachable_issuer() -> None:
    async with running_key_server() as server:
        keys = SigningKeys(server.issuer, cooldown_s=0)
        assert await is_known(keys, "k1")
    assert not await is_known(keys, "k2")
    assert await is_known(keys, "k1")


async def test_stale_keys_are_used_while_new_ones_are_fetched(server: KeyServer) -> None:
    keys = SigningKeys(server.issuer, refresh_every_s=0, cooldown_s=0)
    assert await is_known(keys, "k1")
    server.keys = [jwk("k2")]
    server.gate.clear()
    keys.refresh_if_stale()
    keys.refresh_if_stale()
    await wait_until(lambda: server.key_fetches == 2)
    assert await is_known(keys, "k1")
    server.gate.set()
    await wait_until(lambda: keys.generation == 2)
    assert await is_known(keys, "k2")
    assert server.key_fetches == 2


async def test_fresh_keys_are_not_fetched_again(server: KeyServer) -> None:
    keys = SigningKeys(server.issuer, refresh_every_s=NEVER_S, cooldown_s=0)
    assert await is_known(keys, "k1")
    keys.refresh_if_stale()
    assert await is_known(keys, "k1")
    assert server.key_fetches == 1


async def test_unchanged_keys_keep_their_generation(server: KeyServer) -> None:
    keys = SigningKeys(server.issuer, cooldown_s=0)
    assert await is_known(keys, "k1")
    assert not await is_known(keys, "k2")
    assert (server.key_fetches, keys.generation) == (2, 1)


@pytest.mark.parametrize(
    ("discovery", "logged"),
    [
        ({"issuer": "https://evil.example"}, "names issuer 'https://evil.example'"),
        ({"jwks_uri": None}, "has jwks_uri None"),
        ({"jwks_uri": "http://127.0.0.1:port/"}, "InvalidURL"),
        ({"jwks_uri": "file:///etc/hostname"}, "UnsupportedProtocol"),
    ],
)
async def test_invalid_discovery_document_is_not_followed(
    server: KeyServer, discovery: dict[str, object], logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.discovery |= discovery
    with pytest.raises(TemporarilyUnavailable):
        await SigningKeys(server.issuer).find("k1")
    assert server.key_fetches == 0
    assert logged in caplog.text


async def test_closing_ends_a_fetch_in_progress(server: KeyServer) -> None:
    keys = SigningKeys(server.issuer)
    server.gate.clear()
    keys.refresh_if_stale()
    await wait_until(lambda: server.key_fetches == 1)
    await keys.aclose()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "fetch signing keys"]
    server.gate.set()
