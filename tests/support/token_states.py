"""An issuer that answers introspection and userinfo requests as a test dictates."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.issuers import KeyServer
from tests.support.serving import serving
from tests.support.tokens import jwk

SECRET = "s:e/c r%t"
"""A secret with characters that must be encoded for HTTP Basic authentication."""
ENCODED_CREDENTIALS = base64.b64encode(b"onsale-web:s%3Ae%2Fc%20r%25t").decode()


class TokenStateServer(KeyServer):
    """A key server with both endpoints. Tests may change `state` and `failure_of_checks`."""

    def __init__(self, base: str) -> None:
        super().__init__(base, jwk("k1"))
        self.discovery |= {
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "introspection_endpoint": f"{self.issuer}/introspect",
        }
        self.state: dict[str, object] = {"active": True, "realm_access": {"roles": ["organizer"]}}
        self.failure_of_checks: Response | None = None
        self.asked: list[str] = []
        self.app.routes.extend(
            [
                Route("/realms/test/userinfo", self._userinfo),
                Route("/realms/test/introspect", self._introspect, methods=["POST"]),
            ]
        )

    async def _userinfo(self, request: Request) -> Response:
        self.asked.append(f"userinfo {request.headers['authorization']}")
        return self.failure_of_checks or JSONResponse({}, 200 if self.state["active"] else 401)

    async def _introspect(self, request: Request) -> Response:
        body = (await request.body()).decode()
        self.asked.append(f"introspect {request.headers['authorization']} {body}")
        return self.failure_of_checks or JSONResponse(self.state)


@asynccontextmanager
async def running_token_state_server() -> AsyncIterator[TokenStateServer]:
    servers: list[TokenStateServer] = []

    def build(base: str) -> Starlette:
        servers.append(TokenStateServer(base))
        return servers[0].app

    async with serving(build):
        yield servers[0]
