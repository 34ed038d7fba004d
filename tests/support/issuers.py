"""An issuer that only publishes its keys, over real HTTP. It counts fetches and can fail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from auth.issuer_http import IssuerHttp
from auth.tokens import TokenVerifier
from settings import OidcSettings
from tests.support.serving import serving
from tests.support.tokens import jwk


class KeyServer:
    """A key server whose attributes may be changed while it runs.

    Key requests are answered only while `gate` is set.
    """

    def __init__(self, base: str, *keys: dict[str, object]) -> None:
        self.issuer = f"{base}/realms/test"
        self.keys: object = list(keys)
        self.key_fetches = 0
        self.discovery: dict[str, object] = {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/certs"}
        self.failure: Response | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.app = Starlette(
            routes=[
                Route("/realms/test/.well-known/openid-configuration", self._discovery),
                Route("/realms/test/certs", self._certs),
            ]
        )

    async def _discovery(self, request: Request) -> Response:
        return JSONResponse(self.discovery)

    async def _certs(self, request: Request) -> Response:
        self.key_fetches += 1
        await self.gate.wait()
        return self.failure or JSONResponse({"keys": self.keys})


def make_verifier(issuer: str, **changes: Any) -> TokenVerifier:
    """Return a verifier with the default settings, except for `changes`."""
    return TokenVerifier(IssuerHttp(issuer), OidcSettings(**changes))


@asynccontextmanager
async def running_key_server() -> AsyncIterator[KeyServer]:
    """Run a key server that publishes the key k1."""
    servers: list[KeyServer] = []

    def build(base: str) -> Starlette:
        servers.append(KeyServer(base, jwk("k1")))
        return servers[0].app

    async with serving(build):
        yield servers[0]
