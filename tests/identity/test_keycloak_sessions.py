"""A browser's session at Keycloak with the confidential client: login form, renewal and logout."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from deploy.keycloak.admin import KeycloakAdmin
from storage.embedded.process import ServerProcess
from tests.support.application import Application, started
from tests.support.keycloak_site import IssuerProxy, issuer_proxy, own_client, persons_browser, settings_of
from tests.support.oidc_client import Issuer

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(1_200),
]

CLIENT_ID = "test-browser-sessions"
LIFESPAN_S = 60
IN_USE_S = 130
ME = "{ me { name roles } }"


@dataclass(frozen=True, slots=True)
class SessionSite:
    application: Application
    proxy: IssuerProxy
    admin: KeycloakAdmin

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.application.port}"

    def keycloak_sessions(self, name: str) -> int:
        [user] = self.admin.get("users", username=name, exact="true")
        sessions = self.admin.get(f"users/{user['id']}/sessions")
        return sum(CLIENT_ID in session["clients"].values() for session in sessions)


@pytest_asyncio.fixture(loop_scope="session")
async def site(
    keycloak_issuer: Issuer,
    admin: KeycloakAdmin,
    shared_valkey: ServerProcess,
    shared_mongod: ServerProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[SessionSite]:
    """An Onsale server that reaches Keycloak through a proxy that counts its requests."""
    async with issuer_proxy(keycloak_issuer.url) as proxy:
        application = Application(
            tmp_path_factory.mktemp("sessions") / "data",
            **settings_of(CLIENT_ID, keycloak_issuer.url),
            OIDC_INTERNAL_URL=proxy.url,
            REDIS_URL=shared_valkey.url,
            MONGO_URL=shared_mongod.url,
            MONGO_DATABASE="identity_sessions",
        )
        lifespan = {"access.token.lifespan": str(LIFESPAN_S)}
        with own_client(admin, CLIENT_ID, port=application.port, **lifespan):
            async with started(application):
                yield SessionSite(application, proxy, admin)


async def test_session_is_renewed_while_in_use_and_logout_ends_it_at_keycloak(site: SessionSite) -> None:
    async with persons_browser(site.origin) as browser:
        await browser.sign_in("carol")
        assert (site.proxy.count("token authorization_code"), site.keycloak_sessions("carol")) == (1, 1)
        assert 'name="password"' not in (await browser.open_login()).text, "Keycloak forgot the person"

        until, asked = time.monotonic() + IN_USE_S, 0
        async with browser.socket() as socket:
            while time.monotonic() < until:
                answers = await asyncio.gather(*(browser.ask(ME) for _ in range(5)))
                for answer in answers:
                    assert answer.json()["data"] == {"me": {"name": "carol", "roles": ["CUSTOMER"]}}
                assert (await browser.http.get(f"{site.origin}/graphql", headers={"Accept": "text/html"})).text
                await socket.send({"type": "ping"})
                assert await socket.receive() == {"type": "pong"}
                asked += len(answers)
                await asyncio.sleep(1)
        renewals = site.proxy.count("token refresh_token")
        print(f"{renewals} renewals in {IN_USE_S} s with {asked} requests at a lifespan of {LIFESPAN_S} s")  # noqa: T201
        # A renewal is due in the last third of the token's lifetime.
        assert IN_USE_S // LIFESPAN_S <= renewals <= IN_USE_S // (LIFESPAN_S * 2 // 3)
        assert site.proxy.count("token authorization_code") == 1

        left = await browser.sign_out()
        assert (left.status_code, left.headers["location"]) == (302, f"{site.origin}/")
        assert (browser.session_cookie, site.keycloak_sessions("carol")) == (None, 0)
        assert (await browser.ask(ME)).json()["data"] == {"me": None}
        assert 'name="password"' in (await browser.open_login()).text


async def test_disabled_person_loses_the_session_at_its_next_renewal(site: SessionSite) -> None:
    [alice] = site.admin.get("users", username="alice", exact="true")
    async with persons_browser(site.origin) as browser:
        await browser.sign_in("alice")
        site.admin.put(f"users/{alice['id']}", {**alice, "enabled": False})
        try:
            while True:
                answer = await browser.ask(ME)
                if answer.status_code != 200:
                    break
                await asyncio.sleep(1)
        finally:
            site.admin.put(f"users/{alice['id']}", {**alice, "enabled": True})
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (401, "SESSION_LOST")
        assert site.proxy.count("token refresh_token") == 1
