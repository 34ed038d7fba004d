"""The two issuers that every identity test runs against, and an Onsale server for each."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.keycloak.admin import KeycloakAdmin, serve_onsale_at
from storage.embedded.process import ServerProcess
from tests.support.api_client import ApiClient
from tests.support.application import Application, started
from tests.support.issuer_client import issuer_client
from tests.support.keycloak import BackgroundKeycloak, NotFetchedError, shared_keycloak, skip_or_fail
from tests.support.oidc_client import SERVER_CREDENTIALS, Issuer, OidcClient
from tests.support.serving import serving

session_fixture = pytest_asyncio.fixture(scope="session", loop_scope="session")
HTTP_TIMEOUT_S = 120.0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--keycloak"):
        return
    long = pytest.mark.skip(reason="long: make test-keycloak runs it")
    for item in items:
        if item.path.parent == Path(__file__).parent and item.path.name.startswith("test_keycloak_"):
            item.add_marker(long)


@pytest.fixture(scope="session")
def background_keycloak(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BackgroundKeycloak]:
    yield from shared_keycloak(request.config, tmp_path_factory.mktemp("keycloak"))


@session_fixture
async def keycloak(request: pytest.FixtureRequest, background_keycloak: BackgroundKeycloak) -> BackgroundKeycloak:
    try:
        await background_keycloak.ready()
    except NotFetchedError as error:
        skip_or_fail(request.config, str(error))
    return background_keycloak


@pytest.fixture(scope="session")
def admin(keycloak: BackgroundKeycloak) -> Iterator[KeycloakAdmin]:
    with KeycloakAdmin(keycloak.port) as admin:
        yield admin


@session_fixture
async def development_issuer(
    tmp_path_factory: pytest.TempPathFactory, shared_valkey: ServerProcess
) -> AsyncIterator[Issuer]:
    async with _logout_receiver() as (port, received), httpx2.AsyncClient(timeout=HTTP_TIMEOUT_S) as http:
        url = f"http://localhost:{port}/oidc/backchannel-logout"
        async with issuer_client(tmp_path_factory.mktemp("issuer"), shared_valkey.url, logout_url=url) as client:
            yield _issuer("development", client.issuer, http, port, received)


@session_fixture
async def keycloak_issuer(keycloak: BackgroundKeycloak) -> AsyncIterator[Issuer]:
    async with _logout_receiver() as (port, received), httpx2.AsyncClient(timeout=HTTP_TIMEOUT_S) as http:
        yield _issuer("keycloak", keycloak.issuer, http, port, received)


@pytest.fixture(scope="session", params=["development", "keycloak"])
def issuer(request: pytest.FixtureRequest) -> Issuer:
    found = request.getfixturevalue(f"{request.param}_issuer")
    assert isinstance(found, Issuer)
    return found


@pytest.fixture(scope="session")
def logout_tokens(request: pytest.FixtureRequest, issuer: Issuer) -> list[str]:
    """The bodies that the issuer posts to the confidential client.

    Only one module may use this fixture: Keycloak posts them all to one address, and parallel test
    processes share Keycloak.
    """
    if issuer.name == "keycloak":
        serve_onsale_at(request.getfixturevalue("admin"), issuer.logout_port)
    return issuer.logout_tokens


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def api(
    issuer: Issuer,
    shared_valkey: ServerProcess,
    shared_mongod: ServerProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ApiClient]:
    """An Onsale server that trusts the issuer.

    It stops after the module, because its reads would trigger the fail points of later tests.
    """
    application = Application(
        tmp_path_factory.mktemp("api") / "data",
        OIDC_ISSUER=issuer.url,
        REDIS_URL=shared_valkey.url,
        MONGO_URL=shared_mongod.url,
        MONGO_DATABASE=f"identity_{issuer.name}",
    )
    async with started(application):
        yield ApiClient(application.url)


def _issuer(name: str, url: str, http: httpx2.AsyncClient, logout_port: int, logout_tokens: list[str]) -> Issuer:
    server_id, secret = SERVER_CREDENTIALS
    web, server = OidcClient(url, http), OidcClient(url, http, server_id, secret)
    return Issuer(name, url, web, server, logout_port, logout_tokens)


@asynccontextmanager
async def _logout_receiver() -> AsyncIterator[tuple[int, list[str]]]:
    """Receive logout tokens at Onsale's path. Yield the port and the bodies."""
    received: list[str] = []

    async def receive(request: Request) -> Response:
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        received.append((await request.body()).decode())
        return Response()

    app = Starlette(routes=[Route("/oidc/backchannel-logout", receive, methods=["POST"])])
    async with serving(lambda _: app) as base:
        yield int(base.rpartition(":")[2]), received
