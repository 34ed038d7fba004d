"""The public key with which gates, partners and pages verify queue passes."""

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from auth.passes import PassSigner

LIFE_S = 600
# CORS headers are sent even if the request has no Origin header, because a shared cache may answer
# a page's request with a response that it stored for a server.
_HEADERS = {"Cache-Control": f"public, max-age={LIFE_S}", "Access-Control-Allow-Origin": "*"}
_PREFLIGHT = Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET"], allow_headers=["*"])


async def jwks(request: Request) -> JSONResponse:
    passes: PassSigner = request.state.passes
    return JSONResponse(passes.jwks, headers=_HEADERS)


routes = [Route("/.well-known/jwks.json", jwks, methods=["GET", "OPTIONS"], middleware=[_PREFLIGHT])]
