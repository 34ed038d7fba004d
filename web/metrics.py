"""`/metrics`: the counters of this process in Prometheus format, for operators only."""

import ipaddress
from collections.abc import Sequence

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

_FORWARDED = ("x-forwarded-for", "x-forwarded-host", "forwarded", "via")


def metrics_routes(readers: Sequence[str]) -> list[BaseRoute]:
    """Return the route. Only clients in the networks `readers` see the counters; others get 404.

    Requests that an unknown proxy has forwarded get 404 too. A proxy on this machine that is not in
    ONSALE_TRUSTED_PROXIES would otherwise show the counters to the whole internet.
    """
    networks = [ipaddress.ip_network(reader) for reader in readers]

    async def metrics(request: Request) -> Response:
        address = _parse(request)
        is_reader = address is not None and any(address in network for network in networks)
        # web/proxies.py has removed the headers of trusted proxies.
        if not is_reader or any(name in request.headers for name in _FORWARDED):
            return PlainTextResponse("Not Found", status_code=404)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})

    return [Route("/metrics", metrics)]


def _parse(request: Request) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the client's address, or the first one in its network if only the network is known."""
    try:
        return ipaddress.ip_address(request.client.host.partition("/")[0] if request.client else "")
    except ValueError:
        return None
