"""Public key of queue passes, for all services that check them: gates, partners and others."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from auth.passes import PassSigner

LIFE_S = 600


async def jwks(request: Request) -> JSONResponse:
    passes: PassSigner = request.state.passes
    return JSONResponse(passes.jwks, headers={"Cache-Control": f"public, max-age={LIFE_S}"})


routes = [Route("/.well-known/jwks.json", jwks)]
