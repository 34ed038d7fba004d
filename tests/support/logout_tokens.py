"""Logout tokens like those that Keycloak sends, and an endpoint that receives them."""

import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
import jwt
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from auth.revocation.backchannel_logout import PATH, BackchannelLogout, routes
from auth.revocation.logout_tokens import EVENT, LogoutTokenVerifier
from auth.revocation.revocations import Revocations
from settings.oidc import ALGORITHMS
from tests.support.revocations import FakeRevocationStore
from tests.support.tokens import SUBJECT, jwk, signed

ISSUER = "https://id.example.org/realms/onsale"
CLIENT_ID = "onsale-web"


def logout_claims(issuer: str = ISSUER, **changes: object) -> dict[str, object]:
    """Return the claims of a logout token. A value of None in `changes` removes a claim."""
    now_s = int(time.time())
    claims = {
        "iss": issuer,
        "aud": CLIENT_ID,
        "iat": now_s,
        "exp": now_s + 120,
        "jti": str(uuid.uuid4()),
        "sub": SUBJECT,
        "sid": "s1",
        "typ": "Logout",
        "events": {EVENT: {}, "revoke_offline_access": False},
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def logout_token(issuer: str = ISSUER, /, **changes: object) -> str:
    return signed(logout_claims(issuer, **changes), typ="logout+jwt")


@dataclass
class FixedKeys:
    """Keys of an issuer that is available unless `failure` is set."""

    failure: Exception | None = None

    async def find(self, kid: str) -> jwt.PyJWK | None:
        if self.failure is not None:
            raise self.failure
        return jwt.PyJWK(jwk("k1")) if kid == "k1" else None


@dataclass
class LogoutEndpoint:
    keys: FixedKeys = field(default_factory=FixedKeys)
    store: FakeRevocationStore = field(default_factory=FakeRevocationStore)
    hints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.revocations = Revocations(self.store, publish_hint=lambda: self.hints.append("hint"))
        verifier = LogoutTokenVerifier(self.keys, ISSUER, client_ids=[CLIENT_ID], algorithms=ALGORITHMS)
        self._logout = BackchannelLogout(verifier, self.revocations)
        self._routes = Starlette(routes=routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._routes({**scope, "state": {"backchannel_logout": self._logout}}, receive, send)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx2.AsyncClient]:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(self), base_url="http://onsale") as client:
            yield client

    async def post(self, token: str) -> httpx2.Response:
        async with self.client() as client:
            return await client.post(PATH, data={"logout_token": token})
