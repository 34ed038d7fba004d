"""An issuer that only publishes keys, over real HTTP, counts who asks, and can be made to misbehave."""

import asyncio

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


class KeyServer:
    """Change its attributes while it serves. `gate` holds key answers back until it is set."""

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
