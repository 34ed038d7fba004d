"""Keycloak under two names, and the clients and audiences of its tokens."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from deploy.keycloak.admin import KeycloakAdmin
from storage.embedded.process import ServerProcess
from tests.support.api_client import ApiClient
from tests.support.application import Application, started
from tests.support.keycloak_site import SECRET, issuer_proxy, own_client, persons_browser, settings_of
from tests.support.oidc_client import Issuer, OidcClient, claims_of
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(1_200),
]

CLIENT_ID = "test-two-names"


@pytest.fixture(scope="session")
def issuer(keycloak_issuer: Issuer) -> Issuer:
    return keycloak_issuer


class Onsales:
    def __init__(self, folder: Path, issuer: Issuer, valkey: ServerProcess, mongod: ServerProcess) -> None:
        self._folder = folder
        self._issuer = issuer.url
        self._stores = {"REDIS_URL": valkey.url, "MONGO_URL": mongod.url, "MONGO_DATABASE": "identity_names"}

    def make(self, **settings: object) -> Application:
        given: dict[str, Any] = {"OIDC_ISSUER": self._issuer, **self._stores, **settings}
        return Application(self._folder / "data", **given)


@pytest.fixture
def onsales(tmp_path: Path, issuer: Issuer, shared_valkey: ServerProcess, shared_mongod: ServerProcess) -> Onsales:
    return Onsales(tmp_path, issuer, shared_valkey, shared_mongod)


@asynccontextmanager
async def api_on(application: Application) -> AsyncIterator[ApiClient]:
    async with started(application):
        yield ApiClient(application.url)


async def message_of(api: ApiClient, token: str) -> tuple[int, str]:
    answer = await api.ask(token)
    return answer.status_code, answer.json()["errors"][0]["message"]


async def test_onsale_uses_the_internal_name_and_browsers_the_public_one(
    issuer: Issuer, admin: KeycloakAdmin, onsales: Onsales
) -> None:
    async with issuer_proxy(issuer.url) as internal:
        application = onsales.make(
            **settings_of(CLIENT_ID, issuer.url), OIDC_INTERNAL_URL=internal.url, OIDC_RECHECK_S=10
        )
        with own_client(admin, CLIENT_ID, port=application.port):
            async with api_on(application) as api, persons_browser(f"http://localhost:{application.port}") as browser:
                organizer = OidcClient(issuer.url, issuer.web.http, CLIENT_ID, SECRET)
                token = (await organizer.with_password("olivia")).json()["access_token"]
                assert claims_of(token)["iss"] == issuer.url
                assert await api.accepts(token)
                login = await browser.open_login()
                assert str(login.url).startswith(f"{issuer.url}/protocol/openid-connect/auth?")
                await browser.sign_in("carol")
                assert (await browser.ask("{ me { name } }")).json()["data"] == {"me": {"name": "carol"}}
                left = await browser.sign_out()
                assert str(left.url).startswith(f"{issuer.url}/protocol/openid-connect/logout?")
        assert set(internal.requests) >= {"openid-configuration", "certs", "token authorization_code"}


async def test_internal_name_may_be_another_loopback_name(issuer: Issuer, onsales: Onsales) -> None:
    internal = issuer.url.replace("//localhost", "//127.0.0.1")
    async with api_on(onsales.make(OIDC_INTERNAL_URL=internal)) as api:
        token = (await issuer.web.with_password("alice")).json()["access_token"]
        assert await api.accepts(token)


async def test_issuer_mismatch_is_reported_with_both_names(issuer: Issuer, onsales: Onsales) -> None:
    """The most common mistake with Docker: Onsale is given the internal name as the issuer."""
    wrong = issuer.url.replace("//localhost", "//127.0.0.1")
    application = onsales.make(OIDC_ISSUER=wrong)

    async def ready() -> str:
        try:
            return (await application.get("/readyz")).text
        except httpx2.TransportError:
            return ""

    async def is_reported() -> bool:
        return all(name in text for text in (application.output, await ready()) for name in (issuer.url, wrong))

    await application.start()
    try:
        await wait_until(is_reported, what="both names")
        token = (await issuer.web.with_password("alice")).json()["access_token"]
        assert (await ApiClient(application.url).ask(token)).status_code == 503
    finally:
        await application.end()


async def test_token_issued_to_an_unlisted_client_is_refused(issuer: Issuer, onsales: Onsales) -> None:
    async with api_on(onsales.make(OIDC_AUTHORIZED_PARTIES="onsale-web onsale-server")) as api:
        own = (await issuer.web.with_password("alice")).json()["access_token"]
        assert await api.accepts(own)
        assert await api.accepts((await issuer.server.signed_in("alice"))["access_token"])
        other = OidcClient(issuer.url, issuer.web.http, "test-other-client")
        foreign = (await other.with_password("alice")).json()["access_token"]
        assert await message_of(api, foreign) == (
            401,
            "The access token was issued to client test-other-client, which ONSALE_OIDC_AUTHORIZED_PARTIES does not "
            "list; sign in with a client that it lists.",
        )


async def test_refusal_of_a_token_without_our_audience_names_the_missing_mapper(
    issuer: Issuer, onsales: Onsales
) -> None:
    async with api_on(onsales.make()) as api:
        client = OidcClient(issuer.url, issuer.web.http, "test-no-audience")
        token = (await client.with_password("alice")).json()["access_token"]
        assert claims_of(token)["aud"] == "account"
        assert await message_of(api, token) == (
            401,
            "The access token is meant for account, not for onsale-api; in Keycloak, add an audience mapper: Clients, "
            "client test-no-audience, Client scopes, its dedicated scope, Add mapper, Audience, with onsale-api as "
            "custom audience.",
        )
