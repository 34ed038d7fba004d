"""Sends requests to the development issuer over real HTTP, as browsers and OIDC clients do."""

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx2
from starlette.applications import Starlette

from auth.dev_issuer import issuer_routes
from auth.dev_issuer.client import known_clients
from auth.dev_issuer.logins import Logins
from domain.limits.rates import Rate
from settings import Settings
from tests.support.issuer_logins import open_logins
from tests.support.serving import serving
from tests.support.tokens import AUDIENCE

CLIENT_ID = Settings().oidc.client_id
SERVER_CLIENT = known_clients(CLIENT_ID, None)["onsale-server"]
REDIRECT_URI = "http://localhost:5173/callback"
VERIFIER = "v" * 43


def challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


AUTHORIZATION_REQUEST = {
    "response_type": "code",
    "client_id": CLIENT_ID,
    "redirect_uri": REDIRECT_URI,
    "scope": "openid",
    "state": "s<t&a'te",
    "nonce": "n0nce",
    "code_challenge": challenge(VERIFIER),
    "code_challenge_method": "S256",
}


class IssuerClient:
    """A client of the issuer.

    Keyword arguments change parameters of a valid request, or remove them if the value is None.
    """

    def __init__(self, issuer: str, http: httpx2.AsyncClient) -> None:
        self.issuer = issuer
        self.http = http
        self.protocol = f"{issuer}/protocol/openid-connect"

    async def authorize(self, **changes: str | None) -> httpx2.Response:
        return await self.http.get(f"{self.protocol}/auth", params=_changed(AUTHORIZATION_REQUEST, changes))

    async def sign_in(self, **changes: str | None) -> httpx2.Response:
        form = {**AUTHORIZATION_REQUEST, "username": "alice", "password": "alice"}
        return await self.http.post(f"{self.protocol}/auth", data=_changed(form, changes))

    async def code(self, **changes: str | None) -> str:
        return answer_of(await self.sign_in(**changes))["code"]

    async def redeem(self, code: str, /, **changes: str | None) -> httpx2.Response:
        form = {
            "grant_type": "authorization_code",
            "client_id": CLIENT_ID,
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": VERIFIER,
        }
        return await self.token(_changed(form, changes))

    async def with_password(self, name: str = "alice", /, **changes: str | None) -> httpx2.Response:
        form = {"grant_type": "password", "client_id": CLIENT_ID, "username": name, "password": name}
        return await self.token(_changed(form, changes))

    async def refresh(self, refresh_token: str, /, **changes: str | None) -> httpx2.Response:
        form = {"grant_type": "refresh_token", "client_id": CLIENT_ID, "refresh_token": refresh_token}
        return await self.token(_changed(form, changes))

    async def token(self, form: Mapping[str, str]) -> httpx2.Response:
        return await self.http.post(f"{self.protocol}/token", data=form)

    async def userinfo(self, access_token: str) -> httpx2.Response:
        return await self.http.get(f"{self.protocol}/userinfo", headers={"authorization": f"Bearer {access_token}"})

    async def logout(self, **parameters: str) -> httpx2.Response:
        return await self.http.get(f"{self.protocol}/logout", params=parameters)


@asynccontextmanager
async def issuer_client(
    data_dir: Path,
    redis_url: str,
    *,
    issuer: str | None = None,
    logout_url: str | None = None,
    logins_per_address: Rate | None = None,
) -> AsyncIterator[IssuerClient]:
    """Run an issuer or, if `issuer` is given, a second server for the issuer at that URL.

    The server keeps its codes at `redis_url`, and posts logout tokens to `logout_url`.
    """
    async with (
        open_logins(redis_url, per_address=logins_per_address) as logins,
        _serving_issuer(data_dir, logins, issuer, logout_url) as client,
    ):
        yield client


@asynccontextmanager
async def _serving_issuer(
    data_dir: Path, logins: Logins, issuer: str | None, logout_url: str | None
) -> AsyncIterator[IssuerClient]:

    def build(base: str) -> Starlette:
        url = issuer or f"{base}/realms/onsale"
        return Starlette(
            routes=issuer_routes(
                url,
                lambda _: logins,
                audience=AUDIENCE,
                client_id=CLIENT_ID,
                data_dir=data_dir,
                env="development",
                backchannel_logout_url=logout_url,
            )
        )

    async with serving(build) as base, httpx2.AsyncClient(trust_env=False) as http:
        yield IssuerClient(f"{base}/realms/onsale", http)


def answer_of(response: httpx2.Response) -> dict[str, str]:
    """Return the parameters of an authorization response."""
    assert response.status_code == 303, response.text
    location = urlsplit(response.headers["location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == REDIRECT_URI
    return dict(parse_qsl(location.query))


def _changed(parameters: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """Return the parameters with these changes. A value of None removes a parameter."""
    return {name: value for name, value in {**parameters, **changes}.items() if value is not None}
