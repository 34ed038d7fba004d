"""Public key of queue passes, for everything that checks them: gates, partners and pages."""

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from auth.passes import PassSigner

LIFE_S = 600
# Sent even without an Origin header, because a shared cache may serve to pages what it fetched for
# a server.
_HEADERS = {"Cache-Control": f"public, max-age={LIFE_S}", "Access-Control-Allow-Origin": "*"}
_PREFLIGHT = Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET"], allow_headers=["*"])


async def jwks(request: Request) -> JSONResponse:
    passes: PassSigner = request.state.passes
    return JSONResponse(passes.jwks, headers=_HEADERS)


routes = [Route("/.well-known/jwks.json", jwks, methods=["GET", "OPTIONS"], middleware=[_PREFLIGHT])]
