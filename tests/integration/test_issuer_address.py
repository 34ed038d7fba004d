"""The issuer has a public name, and this server may reach it at an internal address over TLS."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from authlib.integrations.starlette_client import OAuth
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from auth.issuer_http import IssuerHttp
from auth.signing_keys import SigningKeys
from domain.errors import TemporarilyUnavailable
from settings import OidcSettings
from tests.support.certificates import write_certificate
from tests.support.issuers import KeyServer
from tests.support.serving import serving
from tests.support.tokens import jwk

PUBLIC = "https://id.example.org/realms/test"
"""An issuer that can be reached only at its internal address."""


@asynccontextmanager
async def issuer_over_tls(certificate: Path) -> AsyncIterator[KeyServer]:
    servers: list[KeyServer] = []

    def build(base: str) -> Starlette:
        servers.append(KeyServer(base, jwk("k1")))
        return servers[0].app

    async with serving(build, certificate=certificate):
        yield servers[0]


async def problem_with(http: IssuerHttp) -> str:
    """Return what /readyz reports after a failed fetch."""
    keys = SigningKeys(http, OidcSettings())
    with pytest.raises(TemporarilyUnavailable):
        await keys.find("k1")
    assert keys.problem is not None
    return keys.problem


async def has_key(http: IssuerHttp) -> bool:
    return await SigningKeys(http, OidcSettings()).find("k1") is not None


async def test_keys_are_fetched_from_the_internal_address(key_server: KeyServer) -> None:
    key_server.discovery = {"issuer": PUBLIC, "jwks_uri": f"{PUBLIC}/certs"}
    assert await has_key(IssuerHttp(PUBLIC, key_server.issuer))


async def test_discovery_may_name_the_internal_address_of_the_keys(key_server: KeyServer) -> None:
    key_server.discovery = {"issuer": PUBLIC, "jwks_uri": f"{key_server.issuer}/certs"}
    assert await has_key(IssuerHttp(PUBLIC, key_server.issuer))


async def test_discovery_at_the_internal_address_must_name_the_public_issuer(key_server: KeyServer) -> None:
    found = await problem_with(IssuerHttp(PUBLIC, key_server.issuer))
    assert found.startswith(
        f"{key_server.issuer}/.well-known/openid-configuration names issuer {key_server.issuer!r}, "
        f"but ONSALE_OIDC_ISSUER is {PUBLIC!r}; set it to the name that tokens contain (iss), or Keycloak's hostname"
    )
    assert key_server.key_fetches == 0


async def test_keys_of_an_https_issuer_are_not_fetched_elsewhere_over_http(key_server: KeyServer) -> None:
    other = key_server.issuer.replace("127.0.0.1", "localhost")
    key_server.discovery = {"issuer": PUBLIC, "jwks_uri": f"{other}/certs"}
    assert "does not use https although the issuer does" in await problem_with(IssuerHttp(PUBLIC, key_server.issuer))
    assert key_server.key_fetches == 0


@pytest.mark.parametrize(
    ("url", "internal"),
    [
        (f"{PUBLIC}/certs?x=1", "http://kc:8080/realms/test/certs?x=1"),
        ("https://ID.example.org:443/realms/test/certs", "http://kc:8080/realms/test/certs"),
        ("https://id.example.org/realms/test2/certs", "https://id.example.org/realms/test2/certs"),
        ("https://id.example.org.evil.example/realms/test/", "https://id.example.org.evil.example/realms/test/"),
    ],
)
def test_only_the_issuers_endpoints_get_the_internal_address(url: str, internal: str) -> None:
    assert IssuerHttp(PUBLIC, "http://kc:8080/realms/test").internal(url) == internal


async def test_authlib_client_uses_the_internal_address(key_server: KeyServer) -> None:
    hosts: list[str | None] = []

    async def token(request: Request) -> Response:
        hosts.append(request.headers.get("host"))
        return JSONResponse({"access_token": "a", "token_type": "Bearer"})

    key_server.app.router.routes.append(Route("/realms/test/token", token, methods=["POST"]))
    key_server.discovery = {"issuer": PUBLIC, "token_endpoint": f"{PUBLIC}/token"}
    http = IssuerHttp(PUBLIC, key_server.issuer)
    client: Any = OAuth().register(
        "issuer",
        client_id="onsale-web",
        server_metadata_url=f"{PUBLIC}/.well-known/openid-configuration",
        client_kwargs=http.client_kwargs,
    )
    assert (await client.fetch_access_token(code="c", grant_type="authorization_code"))["access_token"] == "a"
    assert hosts == [httpx2.URL(key_server.issuer).netloc.decode()]


async def test_ca_file_is_trusted_in_addition_to_the_systems_certificates(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path)
    async with issuer_over_tls(certificate) as server:
        assert await has_key(IssuerHttp(server.issuer, ca_file=certificate))
        assert "CERTIFICATE_VERIFY_FAILED" in await problem_with(IssuerHttp(server.issuer))


async def test_ssl_cert_file_is_honored_on_loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = write_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with issuer_over_tls(certificate) as server:
        http = IssuerHttp(server.issuer)
        assert await has_key(http)
        client: Any = OAuth().register(
            "issuer", client_id="c", server_metadata_url=http.discovery_url, client_kwargs=http.client_kwargs
        )
        assert (await client.load_server_metadata())["issuer"] == server.issuer


def test_proxies_do_not_apply_to_loopback() -> None:
    assert not IssuerHttp("http://localhost:8080/realms/test").client_kwargs["trust_env"]
    assert not IssuerHttp(PUBLIC, "http://127.0.0.1:8080/realms/test").client_kwargs["trust_env"]
    assert IssuerHttp(PUBLIC).client_kwargs["trust_env"]


async def test_missing_realm_is_named_as_a_likely_cause(key_server: KeyServer) -> None:
    missing = key_server.issuer.replace("/test", "/missing")
    assert await problem_with(IssuerHttp(missing)) == (
        f"{missing}/.well-known/openid-configuration answered 404; expected 200; "
        "does the realm in ONSALE_OIDC_ISSUER exist?"
    )
