"""Onsale accepts the access tokens of both issuers over HTTP and WebSockets, and no other token."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.support.application import Application
from tests.support.oidc_client import Issuer
from tests.support.shop import CREATE, concert_input
from tests.support.sockets import PROTOCOL, Client

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("keycloak"),
    pytest.mark.timeout(1_200),
]

ME = "{ me { name roles } }"


async def token_of(issuer: Issuer, name: str, kind: str = "access_token") -> str:
    return str((await issuer.web.with_password(name)).json()[kind])


async def ask(api: Application, token: str | None, document: str, **variables: object) -> httpx2.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with httpx2.AsyncClient(base_url=api.url, timeout=60) as client:
        return await client.post("/graphql", json={"query": document, "variables": variables}, headers=headers)


@asynccontextmanager
async def socket(api: Application) -> AsyncIterator[Client]:
    address = api.url.replace("http", "ws", 1) + "/graphql"
    async with connect(address, subprotocols=[Subprotocol(PROTOCOL)], compression=None, ping_interval=None) as opened:
        yield Client(opened)


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("alice", {"CUSTOMER"}),
        ("olivia", {"ORGANIZER", "CUSTOMER"}),
        ("gus", {"GATE"}),
        ("admin", {"ADMIN"}),
    ],
)
async def test_me_shows_the_name_and_the_roles_of_the_token(
    issuer: Issuer, api: Application, name: str, roles: set[str]
) -> None:
    me = (await ask(api, await token_of(issuer, name), ME)).json()["data"]["me"]
    assert (me["name"], set(me["roles"])) == (name, roles)


async def test_role_of_the_token_decides_who_creates_concerts(issuer: Issuer, api: Application) -> None:
    async def created_by(name: str) -> Any:
        return (await ask(api, await token_of(issuer, name), CREATE, input=concert_input())).json()

    assert "concert" in (await created_by("olivia"))["data"]["createConcert"]
    refused = await created_by("alice")
    assert "FORBIDDEN" in str(refused)
    assert "'concert':" not in str(refused)


async def test_token_from_the_login_page_is_accepted(issuer: Issuer, api: Application) -> None:
    for client in (issuer.web, issuer.server):
        tokens = await client.signed_in("carol")
        assert (await ask(api, tokens["access_token"], ME)).json()["data"]["me"]["name"] == "carol"


async def test_renewed_token_is_accepted(issuer: Issuer, api: Application) -> None:
    renewed = (await issuer.web.refresh(await token_of(issuer, "alice", "refresh_token"))).json()
    assert (await ask(api, renewed["access_token"], ME)).json()["data"]["me"]["name"] == "alice"


async def test_socket_accepts_an_access_token(issuer: Issuer, api: Application) -> None:
    async with socket(api) as client:
        await client.sign_in(await token_of(issuer, "olivia"))
        await client.subscribe("1", "{ me { name } }")
        assert await client.receive() == {"id": "1", "type": "next", "payload": {"data": {"me": {"name": "olivia"}}}}
        assert await client.receive() == {"id": "1", "type": "complete"}


@pytest.mark.parametrize("kind", ["id_token", "refresh_token"])
async def test_id_and_refresh_tokens_are_refused(issuer: Issuer, api: Application, kind: str) -> None:
    token = await token_of(issuer, "alice", kind)
    answer = await ask(api, token, ME)
    assert answer.status_code == 401
    [error] = answer.json()["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert error["message"].startswith("The access token ")
    assert token not in answer.text
    async with socket(api) as client:
        await client.send({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}})
        code, _ = await client.closed()
    assert code == 4403


async def test_altered_token_is_refused(issuer: Issuer, api: Application) -> None:
    header, payload, signature = (await token_of(issuer, "alice")).split(".")
    answer = await ask(api, ".".join([header, payload, signature[::-1]]), ME)
    assert answer.status_code == 401


async def test_request_without_a_token_is_anonymous(api: Application) -> None:
    assert (await ask(api, None, ME)).json()["data"]["me"] is None
