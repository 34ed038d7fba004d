"""Probes for operators: `/livez` says whether the process is alive, `/readyz` whether it can serve.

If it cannot serve, `/readyz` says why.
"""

from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


class Checkable(Protocol):
    async def problems(self) -> list[str]:
        """Return, within a short time, one sentence for each thing that is not ready."""
        ...


async def livez(_: Request) -> JSONResponse:
    return JSONResponse({"status": "alive"})


async def readyz(request: Request) -> JSONResponse:
    stores: Checkable = request.state.stores
    problems = await stores.problems()
    if problems:
        return JSONResponse({"status": "not ready", "problems": problems}, status_code=503)
    return JSONResponse({"status": "ready"})


routes = [Route("/livez", livez), Route("/readyz", readyz)]
