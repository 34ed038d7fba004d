"""Token checks against a real HTTP server and the development issuer."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from starlette.responses import JSONResponse, PlainTextResponse, Response

from auth.issuer_http import IssuerHttp
from auth.revocation.issuer_checks import MAX_ANSWER_BYTES, IssuerChecks, IssuerUnavailable, TokenState
from auth.roles_claim import RolesClaim
from auth.viewer import Role
from settings import OidcSettings
from tests.support.issuer_client import CLIENT_ID, issuer_client
from tests.support.token_states import ENCODED_CREDENTIALS, SECRET, TokenStateServer, running_token_state_server

PUBLIC = "https://id.example.org/realms/test"
"""An issuer that can be reached only at its internal address."""
ORGANIZER = frozenset({Role.ORGANIZER})


@pytest_asyncio.fixture
async def server() -> AsyncIterator[TokenStateServer]:
    async with running_token_state_server() as made:
        yield made


@asynccontextmanager
async def checks_of(
    issuer: str, secret: str | None = None, *, internal_url: str | None = None
) -> AsyncIterator[IssuerChecks]:
    http = IssuerHttp(issuer, internal_url)
    roles = RolesClaim(OidcSettings().roles_claim, OidcSettings().role_names)
    async with aclosing(IssuerChecks(http, client_id=CLIENT_ID, client_secret=secret, read_roles=roles.read)) as checks:
        yield checks


async def test_introspection_returns_the_current_roles(server: TokenStateServer) -> None:
    async with checks_of(server.issuer, SECRET) as checks:
        assert await checks.check("t") == TokenState(is_active=True, roles=ORGANIZER)
        server.state = {"active": True}
        assert await checks.check("t") == TokenState(is_active=True, roles=frozenset())
        server.state = {"active": False}
        assert await checks.check("t") == TokenState(is_active=False)
    assert server.asked[0] == f"introspect Basic {ENCODED_CREDENTIALS} token=t&token_type_hint=access_token"


async def test_without_a_secret_userinfo_shows_whether_a_token_is_active(server: TokenStateServer) -> None:
    async with checks_of(server.issuer) as checks:
        assert await checks.check("t") == TokenState(is_active=True)
        server.state = {"active": False}
        assert await checks.check("t") == TokenState(is_active=False)
        server.failure_of_checks = JSONResponse({"error": "insufficient_scope"}, 403)
        assert await checks.check("t") == TokenState(is_active=True)
    assert server.asked == ["userinfo Bearer t"] * 3


@pytest.mark.parametrize("secret", [SECRET, None])
@pytest.mark.parametrize(
    "answer",
    [
        JSONResponse({"error": "unavailable"}, 503),
        JSONResponse({}, 429),
        JSONResponse({}, 404),
        PlainTextResponse("x" * (MAX_ANSWER_BYTES + 1)),
    ],
)
async def test_unexpected_answer_counts_as_no_answer(
    server: TokenStateServer, secret: str | None, answer: Response
) -> None:
    server.failure_of_checks = answer
    async with checks_of(server.issuer, secret) as checks:
        with pytest.raises(IssuerUnavailable):
            await checks.check("t")


@pytest.mark.parametrize(
    "answer", [JSONResponse({"active": "true"}), JSONResponse([]), PlainTextResponse("{"), JSONResponse({}, 401)]
)
async def test_malformed_introspection_counts_as_no_answer(server: TokenStateServer, answer: Response) -> None:
    server.failure_of_checks = answer
    async with checks_of(server.issuer, SECRET) as checks:
        with pytest.raises(IssuerUnavailable):
            await checks.check("t")


async def test_error_contains_no_credential(server: TokenStateServer) -> None:
    server.failure_of_checks = JSONResponse({}, 500)
    async with checks_of(server.issuer, SECRET) as checks:
        with pytest.raises(IssuerUnavailable) as caught:
            await checks.check("the-token")
    assert "the-token" not in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("change", [{"issuer": "https://other.example.org"}, {"userinfo_endpoint": None}])
async def test_wrong_discovery_document_counts_as_no_answer(
    server: TokenStateServer, change: dict[str, object]
) -> None:
    server.discovery |= change
    async with checks_of(server.issuer) as checks:
        with pytest.raises(IssuerUnavailable):
            await checks.check("t")
    assert server.asked == []


@pytest.mark.parametrize("base", [PUBLIC, None])
async def test_endpoints_of_an_https_issuer_are_called_at_its_internal_address(
    server: TokenStateServer, base: str | None
) -> None:
    """Discovery lists either the public addresses or those at which it was requested."""
    endpoint = f"{base or server.issuer}/introspect"
    server.discovery |= {"issuer": PUBLIC, "introspection_endpoint": endpoint}
    async with checks_of(PUBLIC, SECRET, internal_url=server.issuer) as checks:
        assert await checks.check("t") == TokenState(is_active=True, roles=ORGANIZER)


async def test_credentials_of_an_https_issuer_are_not_sent_elsewhere_over_http(server: TokenStateServer) -> None:
    other = server.issuer.replace("127.0.0.1", "localhost")
    server.discovery |= {"issuer": PUBLIC, "introspection_endpoint": f"{other}/introspect", "userinfo_endpoint": None}
    async with checks_of(PUBLIC, SECRET, internal_url=server.issuer) as checks:
        with pytest.raises(IssuerUnavailable, match="names neither"):
            await checks.check("t")
    assert server.asked == []


async def test_unreachable_issuer_is_reported_as_unavailable() -> None:
    async with running_token_state_server() as server:
        issuer = server.issuer
    async with checks_of(issuer) as checks:
        with pytest.raises(IssuerUnavailable, match="does not answer"):
            await checks.check("t")


async def test_logout_at_the_development_issuer_makes_a_token_inactive(tmp_path: Path, valkey_url: str) -> None:
    async with issuer_client(tmp_path, valkey_url) as issuer, checks_of(issuer.issuer) as checks:
        tokens = (await issuer.with_password("olivia", scope="openid")).json()
        assert await checks.check(tokens["access_token"]) == TokenState(is_active=True)
        await issuer.logout(id_token_hint=tokens["id_token"])
        assert await checks.check(tokens["access_token"]) == TokenState(is_active=False)
