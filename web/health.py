"""Probes for operators.

`/livez` reports whether the process is alive, and `/readyz` whether it can serve requests and, if
not, why.
"""

from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from auth.revocation.revocations import Revocations

LEAVING = "this server is stopping; use another one"


class Checkable(Protocol):
    async def recent_problems(self) -> list[str]:
        """Return one sentence for each problem. A flood of calls must not harm the stores."""
        ...

    @property
    def warnings(self) -> list[str]:
        """Return one sentence for each condition that does not keep this process from selling."""
        ...


@dataclass(slots=True)
class Departure:
    """Whether this process will stop soon. Until then, it serves every request as before."""

    is_announced: bool = False


class IssuerStatus(Protocol):
    @property
    def problem(self) -> str | None:
        """Return why no new token can be accepted, or None."""
        ...

    @property
    def warning(self) -> str | None:
        """Return why the keys may be out of date even though tokens can be verified, or None."""
        ...


async def livez(_: Request) -> JSONResponse:
    return JSONResponse({"status": "alive"})


async def readyz(request: Request) -> JSONResponse:
    stores: Checkable = request.state.stores
    issuer: IssuerStatus | None = request.state.issuer
    departure: Departure | None = getattr(request.state, "departure", None)
    if departure is not None and departure.is_announced:
        # The stores may be slow, and a balancer must learn this at once.
        return JSONResponse({"status": "not ready", "problems": [LEAVING]}, status_code=503)
    problems = await stores.recent_problems()
    revocations: Revocations | None = getattr(request.state, "revocations", None)
    if revocations is not None and revocations.problem is not None:
        problems = [*problems, revocations.problem]
    if issuer is not None and issuer.problem is not None:
        problems.append(issuer.problem)
    warnings = [*stores.warnings, *([issuer.warning] if issuer is not None and issuer.warning else [])]
    shown = {"warnings": warnings} if warnings else {}
    if problems:
        return JSONResponse({"status": "not ready", "problems": problems, **shown}, status_code=503)
    return JSONResponse({"status": "ready", **shown})


routes = [Route("/livez", livez), Route("/readyz", readyz)]
