"""Two questions of whoever runs us: does the process live (`/livez`), and can it serve (`/readyz`), and if not, why."""

from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


class Checkable(Protocol):
    async def problems(self) -> list[str]:
        """What is not ready, in sentences, soon; empty when all is."""
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
