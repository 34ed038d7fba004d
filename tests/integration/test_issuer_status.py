"""The issuer's state is shown by /readyz and in the log, from the start and without any token."""

import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from starlette.responses import PlainTextResponse

from auth.issuer_http import IssuerHttp
from auth.signing_keys import SigningKeys
from settings import OidcSettings
from storage.embedded.ports import free_port
from tests.support.issuers import KeyServer
from tests.support.tokens import jwk
from tests.support.waiting import wait_until


@pytest_asyncio.fixture
async def signing_keys(key_server: KeyServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SigningKeys]:
    """Keys that are fetched twice a second, or without a pause while there are none."""
    monkeypatch.setattr("auth.signing_keys.RETRY_EMPTY_S", 0)
    keys = SigningKeys(IssuerHttp(key_server.issuer), OidcSettings(key_trust_s=1, cooldown_s=0))
    yield keys
    await keys.aclose()


async def test_keys_are_fetched_without_a_token(key_server: KeyServer, signing_keys: SigningKeys) -> None:
    key_server.gate.clear()
    signing_keys.watch()
    assert signing_keys.problem == f"the signing keys of issuer {key_server.issuer} are still being fetched"
    key_server.gate.set()
    await wait_until(lambda: signing_keys.problem is None)
    assert signing_keys.warning is None


async def test_withdrawn_key_is_forgotten_without_a_token(key_server: KeyServer, signing_keys: SigningKeys) -> None:
    signing_keys.watch()
    await wait_until(lambda: signing_keys.generation == 1)
    key_server.keys = [jwk("k2")]
    await wait_until(lambda: signing_keys.generation == 2)
    assert await signing_keys.find("k1") is None


async def test_outage_at_startup_is_reported_as_a_problem_until_it_ends(
    key_server: KeyServer, signing_keys: SigningKeys, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="auth.signing_keys")
    key_server.failure = PlainTextResponse("down", 503)
    signing_keys.watch()
    await wait_until(lambda: key_server.key_fetches >= 5)
    assert signing_keys.problem == f"{key_server.issuer}/certs answered 503; expected 200"
    key_server.failure = None
    await wait_until(lambda: signing_keys.problem is None)
    began, ended = (record.getMessage() for record in caplog.records)
    assert began == (
        f"fetching the signing keys failed, trying again: {key_server.issuer}/certs answered 503; expected 200"
    )
    assert ended.startswith("fetching the signing keys works again after ")


async def test_later_outage_is_reported_as_a_warning(key_server: KeyServer, signing_keys: SigningKeys) -> None:
    signing_keys.watch()
    await wait_until(lambda: signing_keys.generation == 1)
    key_server.failure = PlainTextResponse("down", 503)
    await wait_until(lambda: signing_keys.warning is not None)
    assert signing_keys.problem is None
    assert signing_keys.warning == f"{key_server.issuer}/certs answered 503; expected 200"


async def test_different_issuer_name_is_always_reported_as_a_problem(
    key_server: KeyServer, signing_keys: SigningKeys
) -> None:
    signing_keys.watch()
    await wait_until(lambda: signing_keys.generation == 1)
    key_server.discovery["issuer"] = "https://moved.example/realms/test"
    await wait_until(lambda: signing_keys.problem is not None)
    assert signing_keys.problem == (
        f"{key_server.issuer}/.well-known/openid-configuration names issuer 'https://moved.example/realms/test', "
        f"but ONSALE_OIDC_ISSUER is {key_server.issuer!r}; set it to the name that tokens contain (iss)"
    )


async def test_unreachable_issuer_is_named_with_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    internal = f"http://127.0.0.1:{free_port()}/realms/test"
    keys = SigningKeys(IssuerHttp("https://id.example.org/realms/test", internal), OidcSettings())
    keys.watch()
    await wait_until(lambda: keys.problem is not None and "does not answer" in keys.problem)
    assert keys.problem == (
        "the issuer https://id.example.org/realms/test does not answer at "
        f"{internal}/.well-known/openid-configuration: ConnectError: All connection attempts failed"
    )
    await keys.aclose()
