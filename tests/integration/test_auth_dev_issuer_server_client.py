"""The development issuer's confidential client: its secret, and the logouts sent to it."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import jwt
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.issuer_client import CLIENT_ID, SERVER_CLIENT, IssuerClient, answer_of, issuer_client
from tests.support.serving import serving


@asynccontextmanager
async def logout_receiver(status: int) -> AsyncIterator[tuple[str, list[str]]]:
    """Receive logout tokens and answer them with `status`. Yield the URL and the tokens."""
    received: list[str] = []

    async def receive(request: Request) -> Response:
        body = (await request.body()).decode()
        received.append(body.removeprefix("logout_token="))
        return Response(status_code=status)

    app = Starlette(routes=[Route("/oidc/backchannel-logout", receive, methods=["POST"])])
    async with serving(lambda _: app) as base:
        yield f"{base}/oidc/backchannel-logout", received


async def signed_in(client: IssuerClient, client_id: str) -> dict[str, str]:
    code = answer_of(await client.sign_in(client_id=client_id))["code"]
    secret = {"client_secret": SERVER_CLIENT.secret} if client_id == SERVER_CLIENT.client_id else {}
    tokens: dict[str, str] = (await client.redeem(code, client_id=client_id, **secret)).json()
    return tokens


async def test_logout_token_is_sent_only_for_a_server_client_session(tmp_path: Path, valkey_url: str) -> None:
    async with logout_receiver(200) as (url, received), issuer_client(tmp_path, valkey_url, logout_url=url) as client:
        for_pages, for_server = await signed_in(client, CLIENT_ID), await signed_in(client, SERVER_CLIENT.client_id)
        await client.logout(id_token_hint=for_pages["id_token"])
        assert received == []
        await client.logout(id_token_hint=for_server["id_token"])
    [token] = received
    assert jwt.decode(token, options={"verify_signature": False})["sid"] == for_server["session_state"]


async def test_failing_client_cannot_prevent_a_logout(
    tmp_path: Path, valkey_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with logout_receiver(500) as (url, received), issuer_client(tmp_path, valkey_url, logout_url=url) as client:
        tokens = await signed_in(client, SERVER_CLIENT.client_id)
        with caplog.at_level(logging.WARNING):
            assert (await client.logout(id_token_hint=tokens["id_token"])).status_code == 200
        assert (await client.userinfo(tokens["access_token"])).status_code == 401
    assert f"back-channel logout: {url} answered 500; expected 200" in caplog.messages
    assert received[0] not in caplog.text


async def test_unreachable_client_cannot_prevent_a_logout(
    tmp_path: Path, valkey_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with issuer_client(tmp_path, valkey_url, logout_url="http://127.0.0.1:1/") as client:
        tokens = await signed_in(client, SERVER_CLIENT.client_id)
        with caplog.at_level(logging.WARNING):
            assert (await client.logout(id_token_hint=tokens["id_token"])).status_code == 200
        assert (await client.userinfo(tokens["access_token"])).status_code == 401
    assert "back-channel logout: http://127.0.0.1:1/ did not answer: ConnectError" in caplog.text


async def test_code_belongs_to_the_client_that_requested_it(tmp_path: Path, valkey_url: str) -> None:
    async with issuer_client(tmp_path, valkey_url) as client:
        code = answer_of(await client.sign_in(client_id=SERVER_CLIENT.client_id))["code"]
        refused = await client.redeem(code)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
