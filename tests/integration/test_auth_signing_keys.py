"""The issuer's keys as they come over HTTP: late, broken, huge, exchanged, or not at all."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp

from auth.jwks import MAX_RESPONSE_BYTES
from auth.signing_keys import SigningKeys
from domain.errors import TemporarilyUnavailable
from tests.support.issuers import KeyServer
from tests.support.serving import serving
from tests.support.tokens import jwk
from tests.support.waiting import wait_until

NEVER_S = 3_600.0


@pytest_asyncio.fixture
async def server() -> AsyncIterator[KeyServer]:
    """Publishes k1."""
    servers: list[KeyServer] = []

    def build(base: str) -> ASGIApp:
        servers.append(KeyServer(base, jwk("k1")))
        return servers[0].app

    async with serving(build):
        yield servers[0]


async def is_known(keys: SigningKeys, kid: str) -> bool:
    return await keys.find(kid) is not None


async def test_a_hundred_who_wait_share_one_fetch(server: KeyServer) -> None:
    keys = SigningKeys(server.issuer)
    server.gate.clear()
    waiting = [asyncio.create_task(is_known(keys, "k1")) for _ in range(100)]
    await wait_until(lambda: server.key_fetches == 1)
    server.gate.set()
    assert await asyncio.gather(*waiting) == [True] * 100
    assert server.key_fetches == 1


async def test_who_stops_waiting_does_not_stop_the_fetch(server: KeyServer) -> None:
    keys = SigningKeys(server.issuer)
    server.gate.clear()
    impatient = asyncio.create_task(is_known(keys, "k1"))
    patient = asyncio.create_task(is_known(keys, "k1"))
    await wait_until(lambda: server.key_fetches == 1)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    server.gate.set()
    assert await patient
    assert server.key_fetches == 1


async def test_an_issuer_that_is_down_is_not_hammered(server: KeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auth.signing_keys.RETRY_EMPTY_S", NEVER_S)
    keys = SigningKeys(server.issuer, cooldown_s=NEVER_S)
    server.failure = PlainTextResponse("down", 503)
    for _ in range(10):
        with pytest.raises(TemporarilyUnavailable):
            await keys.find("k1")
    assert server.key_fetches == 1


async def test_nobody_waits_longer_than_the_time_limit(server: KeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auth.signing_keys.FETCH_TIMEOUT_S", 0.05)
    server.gate.clear()
    with pytest.raises(TemporarilyUnavailable):
        await SigningKeys(server.issuer).find("k1")
    server.gate.set()


async def test_keys_are_found_again_without_a_restart(server: KeyServer) -> None:
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
async def test_known_keys_outlive_every_failure(
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


async def test_known_keys_outlive_an_issuer_that_is_gone() -> None:
    servers: list[KeyServer] = []

    def build(base: str) -> ASGIApp:
        servers.append(KeyServer(base, jwk("k1")))
        return servers[0].app

    async with serving(build):
        keys = SigningKeys(servers[0].issuer, cooldown_s=0)
        assert await is_known(keys, "k1")
    assert not await is_known(keys, "k2")
    assert await is_known(keys, "k1")


async def test_stale_keys_serve_while_fresh_ones_are_fetched(server: KeyServer) -> None:
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


async def test_the_same_keys_again_are_no_new_generation(server: KeyServer) -> None:
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
async def test_a_discovery_document_that_does_not_fit_is_not_followed(
    server: KeyServer, discovery: dict[str, object], logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.discovery |= discovery
    with pytest.raises(TemporarilyUnavailable):
        await SigningKeys(server.issuer).find("k1")
    assert server.key_fetches == 0
    assert logged in caplog.text


async def test_closing_ends_a_fetch_under_way(server: KeyServer) -> None:
    keys = SigningKeys(server.issuer)
    server.gate.clear()
    keys.refresh_if_stale()
    await wait_until(lambda: server.key_fetches == 1)
    await keys.aclose()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "fetch signing keys"]
    server.gate.set()
