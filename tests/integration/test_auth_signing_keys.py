"""Keys fetched from the issuer over HTTP: late, invalid, huge, rotated or unavailable."""

import asyncio
import gzip
import json
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from auth.issuer_http import IssuerHttp
from auth.jwks import MAX_RESPONSE_BYTES
from auth.signing_keys import SigningKeys
from domain.errors import TemporarilyUnavailable
from settings import OidcSettings
from tests.support.issuers import KeyServer, running_key_server
from tests.support.tokens import jwk
from tests.support.waiting import wait_until

NEVER_S = 3_600


def make_keys(key_server: KeyServer, **changes: Any) -> SigningKeys:
    return SigningKeys(IssuerHttp(key_server.issuer), OidcSettings(**changes))


async def is_known(keys: SigningKeys, kid: str) -> bool:
    return await keys.find(kid) is not None


async def test_concurrent_callers_share_one_fetch(key_server: KeyServer) -> None:
    keys = make_keys(key_server)
    key_server.gate.clear()
    waiting = [asyncio.create_task(is_known(keys, "k1")) for _ in range(100)]
    await wait_until(lambda: key_server.key_fetches == 1)
    key_server.gate.set()
    assert await asyncio.gather(*waiting) == [True] * 100
    assert key_server.key_fetches == 1


async def test_canceled_caller_does_not_cancel_the_fetch(key_server: KeyServer) -> None:
    keys = make_keys(key_server)
    key_server.gate.clear()
    cancelled = asyncio.create_task(is_known(keys, "k1"))
    other = asyncio.create_task(is_known(keys, "k1"))
    await wait_until(lambda: key_server.key_fetches == 1)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    key_server.gate.set()
    assert await other
    assert key_server.key_fetches == 1


async def test_unavailable_issuer_is_not_contacted_on_every_call(
    key_server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auth.signing_keys.RETRY_EMPTY_S", NEVER_S)
    keys = make_keys(key_server, cooldown_s=NEVER_S)
    key_server.failure = PlainTextResponse("down", 503)
    for _ in range(10):
        with pytest.raises(TemporarilyUnavailable):
            await keys.find("k1")
    assert key_server.key_fetches == 1


async def test_call_ends_after_the_fetch_timeout(key_server: KeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auth.signing_keys.FETCH_TIMEOUT_S", 0.05)
    key_server.gate.clear()
    with pytest.raises(TemporarilyUnavailable):
        await make_keys(key_server).find("k1")
    key_server.gate.set()


async def test_keys_are_found_after_the_issuer_recovers(key_server: KeyServer) -> None:
    keys = make_keys(key_server, cooldown_s=0)
    key_server.failure = PlainTextResponse("down", 503)
    with pytest.raises(TemporarilyUnavailable):
        await keys.find("k1")
    key_server.failure = None
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
    key_server: KeyServer, failure: Response, caplog: pytest.LogCaptureFixture
) -> None:
    keys = make_keys(key_server, cooldown_s=0)
    assert await is_known(keys, "k1")
    key_server.failure = failure
    with pytest.raises(TemporarilyUnavailable, match="is not known yet"):
        await keys.find("k2")
    assert key_server.key_fetches == 2
    assert await is_known(keys, "k1")
    assert keys.generation == 1
    assert "fetching the signing keys failed, trying again: " in caplog.text


async def test_known_keys_survive_an_unreachable_issuer() -> None:
    async with running_key_server() as key_server:
        keys = make_keys(key_server, cooldown_s=0)
        assert await is_known(keys, "k1")
    with pytest.raises(TemporarilyUnavailable, match="is not known yet"):
        await keys.find("k2")
    assert await is_known(keys, "k1")


async def test_stale_keys_are_used_while_new_ones_are_fetched(key_server: KeyServer) -> None:
    keys = make_keys(key_server, key_trust_s=0, cooldown_s=0)
    assert await is_known(keys, "k1")
    key_server.keys = [jwk("k2")]
    key_server.gate.clear()
    keys.refresh_if_stale()
    keys.refresh_if_stale()
    await wait_until(lambda: key_server.key_fetches == 2)
    assert await is_known(keys, "k1")
    key_server.gate.set()
    await wait_until(lambda: keys.generation == 2)
    assert await is_known(keys, "k2")
    assert key_server.key_fetches == 2


async def test_fresh_keys_are_not_fetched_again(key_server: KeyServer) -> None:
    keys = make_keys(key_server, key_trust_s=NEVER_S, cooldown_s=0)
    assert await is_known(keys, "k1")
    keys.refresh_if_stale()
    assert await is_known(keys, "k1")
    assert key_server.key_fetches == 1


async def test_unchanged_keys_keep_their_generation(key_server: KeyServer) -> None:
    keys = make_keys(key_server, cooldown_s=0)
    assert await is_known(keys, "k1")
    assert not await is_known(keys, "k2")
    assert (key_server.key_fetches, keys.generation) == (2, 1)


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
    key_server: KeyServer, discovery: dict[str, object], logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    key_server.discovery |= discovery
    with pytest.raises(TemporarilyUnavailable):
        await make_keys(key_server).find("k1")
    assert key_server.key_fetches == 0
    assert logged in caplog.text


async def test_closing_ends_a_fetch_in_progress(key_server: KeyServer) -> None:
    keys = make_keys(key_server)
    key_server.gate.clear()
    keys.refresh_if_stale()
    await wait_until(lambda: key_server.key_fetches == 1)
    await keys.aclose()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "fetch signing keys"]
    key_server.gate.set()
