"""Gets access tokens for demo users from the development issuer, with the password grant.

It can also forge tokens.
"""

import asyncio
import base64
from collections.abc import Iterable

import httpx2
import orjson

from settings import Settings

CLIENT_ID = Settings().oidc.client_id
MAX_CONCURRENT_GRANTS = 16
"""The issuer signs a token in about a millisecond, so more requests would only wait."""
ANSWER_TIMEOUT_S = 10.0


class IssuerRefused(RuntimeError):
    """Raised if the issuer returns no token; the message quotes its response."""


async def sign_in(issuer: str, names: Iterable[str]) -> dict[str, str]:
    """Return the users' access tokens by name. A demo user's password is the user name."""
    limit = asyncio.Semaphore(MAX_CONCURRENT_GRANTS)
    async with httpx2.AsyncClient(timeout=ANSWER_TIMEOUT_S, trust_env=False) as http:

        async def grant(name: str) -> tuple[str, str]:
            async with limit:
                return name, await _access_token(http, issuer, name)

        return dict(await asyncio.gather(*(grant(name) for name in names)))


async def _access_token(http: httpx2.AsyncClient, issuer: str, name: str) -> str:
    form = {"grant_type": "password", "client_id": CLIENT_ID, "username": name, "password": name, "scope": "openid"}
    try:
        response = await http.post(f"{issuer}/protocol/openid-connect/token", data=form)
    except httpx2.TransportError as error:
        raise IssuerRefused(f"{issuer} does not answer: {error or type(error).__name__}") from error
    if response.status_code != 200:
        raise IssuerRefused(f"{issuer} gave {name} no token: HTTP {response.status_code} {response.text[:200]}")
    return str(response.json()["access_token"])


def forge(token: str) -> str:
    """Return the token with another person's claims but the same header and signature."""
    header, claims, signature = token.split(".")
    changed = orjson.loads(_decode(claims)) | {"sub": "another-person", "preferred_username": "olivia"}
    return ".".join((header, _encode(orjson.dumps(changed)), signature))


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
