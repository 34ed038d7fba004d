"""Onsale accepts access tokens from both issuers over HTTP and WebSockets, and refuses others."""

from typing import Any

import pytest

from tests.support.api_client import ApiClient
from tests.support.oidc_client import Issuer
from tests.support.shop import CREATE, concert_input

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(1_200),
]


async def token_of(issuer: Issuer, name: str, kind: str = "access_token") -> str:
    return str((await issuer.web.with_password(name)).json()[kind])


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("alice", {"CUSTOMER"}),
        ("olivia", {"ORGANIZER", "CUSTOMER"}),
        ("gus", {"GATE"}),
        ("admin", {"ADMIN"}),
    ],
)
async def test_me_shows_the_name_and_the_roles_in_the_token(
    issuer: Issuer, api: ApiClient, name: str, roles: set[str]
) -> None:
    me = (await api.ask(await token_of(issuer, name))).json()["data"]["me"]
    assert (me["name"], set(me["roles"])) == (name, roles)


async def test_role_in_the_token_decides_who_may_create_concerts(issuer: Issuer, api: ApiClient) -> None:
    async def created_by(name: str) -> Any:
        return (await api.ask(await token_of(issuer, name), CREATE, input=concert_input())).json()

    assert "concert" in (await created_by("olivia"))["data"]["createConcert"]
    refused = await created_by("alice")
    assert "FORBIDDEN" in str(refused)
    assert "'concert':" not in str(refused)


async def test_token_from_the_login_page_is_accepted(issuer: Issuer, api: ApiClient) -> None:
    for client in (issuer.web, issuer.server):
        tokens = await client.signed_in("carol")
        assert (await api.ask(tokens["access_token"])).json()["data"]["me"]["name"] == "carol"


async def test_renewed_token_is_accepted(issuer: Issuer, api: ApiClient) -> None:
    renewed = (await issuer.web.refresh(await token_of(issuer, "alice", "refresh_token"))).json()
    assert (await api.ask(renewed["access_token"])).json()["data"]["me"]["name"] == "alice"


async def test_socket_accepts_an_access_token(issuer: Issuer, api: ApiClient) -> None:
    async with api.socket() as client:
        await client.sign_in(await token_of(issuer, "olivia"))
        await client.subscribe("1", "{ me { name } }")
        result = await client.receive()
        assert (result["id"], result["type"]) == ("1", "next")
        assert "errors" not in result["payload"]
        assert result["payload"]["data"] == {"me": {"name": "olivia"}}
        assert await client.receive() == {"id": "1", "type": "complete"}


@pytest.mark.parametrize("kind", ["id_token", "refresh_token"])
async def test_id_and_refresh_tokens_are_refused(issuer: Issuer, api: ApiClient, kind: str) -> None:
    token = await token_of(issuer, "alice", kind)
    answer = await api.ask(token)
    assert answer.status_code == 401
    [error] = answer.json()["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert error["message"].startswith("The access token ")
    assert token not in answer.text
    async with api.socket() as client:
        await client.send({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}})
        code, _ = await client.closed()
    assert code == 4403


async def test_altered_token_is_refused(issuer: Issuer, api: ApiClient) -> None:
    header, payload, signature = (await token_of(issuer, "alice")).split(".")
    answer = await api.ask(".".join([header, payload, signature[::-1]]))
    assert answer.status_code == 401


async def test_request_without_a_token_is_anonymous(api: ApiClient) -> None:
    assert (await api.ask(None)).json()["data"]["me"] is None
