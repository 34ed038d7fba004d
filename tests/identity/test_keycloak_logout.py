"""A logout reaches both processes even if all hints are lost and Keycloak notifies one of them."""

import base64
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio
import redis.asyncio

from deploy.keycloak.admin import KeycloakAdmin
from storage.embedded import supervisor
from storage.embedded.process import ServerProcess
from tests.support.api_client import ApiClient
from tests.support.application import Application, started
from tests.support.keycloak_site import SECRET, PersonsBrowser, own_client, persons_browser, settings_of, token_socket
from tests.support.oidc_client import Issuer, OidcClient, claims_of
from tests.support.sockets import Client
from tests.support.store_servers import running

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(1_200),
]

CLIENT_ID = "test-two-processes"
ENDED = "Your session has ended; sign in again"


@pytest.fixture(scope="session")
def issuer(keycloak_issuer: Issuer) -> Issuer:
    """Keycloak alone; tests/e2e/test_logout_reaches_processes.py covers logout without it."""
    return keycloak_issuer


@dataclass(frozen=True, slots=True)
class Processes:
    first: Application
    """Keycloak posts its logout tokens here."""
    second: Application
    client: OidcClient
    admin: KeycloakAdmin

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.first.port}"

    @property
    def recorded(self) -> int:
        return self.first.output.count("the issuer ended a session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def processes(
    tmp_path_factory: pytest.TempPathFactory, issuer: Issuer, admin: KeycloakAdmin, shared_mongod: ServerProcess
) -> AsyncIterator[Processes]:
    folder = tmp_path_factory.mktemp("processes")
    async with AsyncExitStack() as stack:
        valkey = await stack.enter_async_context(running(supervisor.make_valkey(folder / "valkey")))
        broker = await stack.enter_async_context(redis.asyncio.Redis.from_url(valkey.url))
        # The broker denies access to the revocation channel, so every revocation hint is lost.
        await broker.execute_command(
            "ACL", "SETUSER", "default", "resetchannels", "&onsale2:{c:*", "&onsale2:work", "&onsale2:readiness"
        )
        shared = {
            **settings_of(CLIENT_ID, issuer.url),
            "REDIS_URL": valkey.url,
            "MONGO_URL": shared_mongod.url,
            "MONGO_DATABASE": f"test_{uuid.uuid4().hex}",
            "SESSION_KEYS": base64.b64encode(bytes(range(32))).decode(),
        }
        first, second = [Application(folder / name, **shared) for name in ("first", "second")]
        stack.enter_context(own_client(admin, CLIENT_ID, port=first.port))
        for application in (first, second):
            await stack.enter_async_context(started(application))
        yield Processes(first, second, OidcClient(issuer.url, issuer.web.http, CLIENT_ID, SECRET), admin)


@pytest_asyncio.fixture(loop_scope="session")
async def browser(processes: Processes) -> AsyncIterator[PersonsBrowser]:
    async with persons_browser(processes.origin) as made:
        await made.sign_in("bob")
        yield made


async def seconds_until_ended(processes: Processes, logout: Callable[[], Awaitable[object]], *sockets: Client) -> float:
    """Log out, and return the number of seconds until the last socket was closed."""
    before, from_s = processes.recorded, time.monotonic()
    await logout()
    # Keycloak responds to the logout only after Onsale has answered the logout token.
    assert processes.recorded == before + 1
    assert "the issuer ended a session" not in processes.second.output
    for socket in sockets:
        assert await socket.closed() == (4403, ENDED)
    return time.monotonic() - from_s


async def refusal(application: Application, token: str) -> tuple[int, str]:
    answer = await ApiClient(application.url).ask(token)
    return answer.status_code, answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("by", ["admin", "person"])
async def test_logout_closes_sockets_and_invalidates_the_token_on_both_processes(
    processes: Processes, by: str, record_property: Callable[[str, object], None]
) -> None:
    tokens = (await processes.client.with_password("carol")).json()
    kept = (await processes.client.with_password("carol")).json()
    token, kept_token = tokens["access_token"], kept["access_token"]

    async def logout() -> None:
        if by == "admin":
            processes.admin.delete(f"sessions/{claims_of(token)['sid']}")
        else:
            answer = await processes.client.logout(id_token_hint=tokens["id_token"])
            assert answer.status_code in (200, 302), answer.text

    async with (
        token_socket(processes.first.url, token) as first,
        token_socket(processes.second.url, token) as second,
        token_socket(processes.second.url, kept_token) as other,
    ):
        seconds = await seconds_until_ended(processes, logout, first, second)
        for application in (processes.first, processes.second):
            assert await refusal(application, token) == (401, f"{ENDED}.")
            assert await ApiClient(application.url).accepts(kept_token)
        await other.send({"type": "ping"})
        assert await other.receive() == {"type": "pong"}
    report(record_property, f"token socket, logout by {by}", seconds)
    assert "a hint was lost" in processes.first.output


@pytest.mark.parametrize("by", ["admin", "person"])
async def test_logout_ends_a_browser_session_on_both_processes(
    processes: Processes, browser: PersonsBrowser, by: str, record_property: Callable[[str, object], None]
) -> None:
    second_url = f"http://localhost:{processes.second.port}"
    for at in (processes.origin, second_url):
        assert (await browser.ask("{ me { name } }", at=at)).json()["data"] == {"me": {"name": "bob"}}

    async def logout() -> None:
        if by == "admin":
            [bob] = processes.admin.get("users", username="bob", exact="true")
            sessions = processes.admin.get(f"users/{bob['id']}/sessions")
            [session] = [session for session in sessions if CLIENT_ID in session["clients"].values()]
            processes.admin.delete(f"sessions/{session['id']}")
        else:
            left = await browser.sign_out()
            assert (left.status_code, left.headers["location"]) == (302, f"{processes.origin}/")

    async with browser.socket() as first, browser.socket(at=second_url) as second:
        seconds = await seconds_until_ended(processes, logout, first, second)
    report(record_property, f"cookie socket, logout by {by}", seconds)
    if by == "admin":
        lost = await browser.ask("{ me { name } }", at=second_url)
        code = lost.json()["errors"][0]["extensions"]["code"]
        assert (lost.status_code, code, browser.session_cookie) == (401, "SESSION_LOST", None)
    # The session at Keycloak has ended too, so Keycloak asks for the password again.
    assert 'name="password"' in (await browser.open_login()).text


def report(record_property: Callable[[str, object], None], what: str, seconds: float) -> None:
    print(f"{what}: both processes had ended it {seconds:.2f} s after the request for the logout")  # noqa: T201
    record_property(what, round(seconds, 2))
