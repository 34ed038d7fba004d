"""Probes for operators.

`/livez` reports whether the process is alive, and `/readyz` whether it can serve requests and, if
not, why.
"""

from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from auth.revocation.revocations import Revocations


class Checkable(Protocol):
    async def problems(self) -> list[str]:
        """Return one sentence for each problem. Returns within a short time."""
        ...


async def livez(_: Request) -> JSONResponse:
    return JSONResponse({"status": "alive"})


async def readyz(request: Request) -> JSONResponse:
    stores: Checkable = request.state.stores
    problems = await stores.problems()
    revocations: Revocations | None = getattr(request.state, "revocations", None)
    if revocations is not None and revocations.problem is not None:
        problems = [*problems, revocations.problem]
    if problems:
        return JSONResponse({"status": "not ready", "problems": problems}, status_code=503)
    return JSONResponse({"status": "ready"})


routes = [Route("/livez", livez), Route("/readyz", readyz)]
