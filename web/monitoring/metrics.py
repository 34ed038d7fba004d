"""`/metrics` in Prometheus format, for operators only: the metrics of this process, and gauges that
are read from the stores.

In production it has a port of its own. The port is served by the event loop of the process, or of
the supervisor if there is one, with a limit on connections, so a scraper that hangs stops nothing
else.
"""

import asyncio
import ipaddress
import multiprocessing
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TypedDict

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from settings import Settings, SettingsError
from storage.connect import Stores
from telemetry.collector import PROCESS_REGISTRY
from web.monitoring.payment_gauges import PaymentGauges
from web.monitoring.queue_gauges import QueueGauges
from web.server import Server, make_config, open_listener

_FORWARDED = ("x-forwarded-for", "x-forwarded-host", "forwarded", "via")
MAX_CONNECTIONS = 20


class _State(TypedDict):
    stores: Stores


@contextmanager
def open_metrics_listener(settings: Settings) -> Iterator[socket.socket | None]:
    """Open the port of the metrics during the block. Yields None if the settings name no port.

    Raises SettingsError if the port cannot be opened.
    """
    if settings.metrics_port is None:
        yield None
        return
    with open_listener(settings.host, settings.metrics_port, setting="ONSALE_METRICS_PORT") as listener:
        yield listener


def open_unit_metrics_listener(settings: Settings) -> socket.socket | None:
    """Open the port of the metrics for a process that `uvicorn` runs. Raises SettingsError."""
    if settings.metrics_port is None:
        return None
    try:
        return open_listener(settings.host, settings.metrics_port, setting="ONSALE_METRICS_PORT")
    except SettingsError as error:
        if multiprocessing.parent_process() is None:
            raise
        raise SettingsError(
            f"{error}. Processes of `uvicorn --workers` cannot share it: run `python app.py` with ONSALE_PROCESSES"
        ) from error


@asynccontextmanager
async def serve_metrics(
    listener: socket.socket | None,
    settings: Settings,
    stores: Stores,
    *,
    show_processes: Callable[[], Awaitable[bytes]] | None = None,
) -> AsyncIterator[None]:
    """Serve `/metrics` on the port during the block. `show_processes` returns the metrics of all
    processes; without it, those of this process are served.
    """
    if listener is None:
        yield
        return

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[_State]:
        yield _State(stores=stores)

    routes = metrics_routes(settings.metrics_from, show_processes or _show_process)
    app = Starlette(routes=routes, lifespan=lifespan)
    server = Server(make_config(app, limit_concurrency=MAX_CONNECTIONS, ws="none"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


async def _show_process() -> bytes:
    return generate_latest(PROCESS_REGISTRY)


def metrics_routes(
    readers: Sequence[str], show_processes: Callable[[], Awaitable[bytes]] = _show_process
) -> list[BaseRoute]:
    """Return the route. Only clients in the networks `readers` see the metrics; others get 404.

    Requests that an unknown proxy has forwarded get 404 too. A proxy on this machine that is not in
    ONSALE_TRUSTED_PROXIES would otherwise show the metrics to the whole internet.
    """
    gauges = (PaymentGauges(), QueueGauges())
    networks = [ipaddress.ip_network(reader) for reader in readers]

    async def metrics(request: Request) -> Response:
        address = _parse(request)
        is_reader = address is not None and any(address in network for network in networks)
        # web/proxies.py has removed the headers of trusted proxies.
        if not is_reader or any(name in request.headers for name in _FORWARDED):
            return PlainTextResponse("Not Found", status_code=404)
        stores: Stores | None = getattr(request.state, "stores", None)
        shared = [] if stores is None else await asyncio.gather(*(each.show(stores) for each in gauges))
        content = await show_processes() + b"".join(shared)
        return Response(content, media_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})

    return [Route("/metrics", metrics)]


def _parse(request: Request) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the client's address, or the first one in its network if only the network is known."""
    try:
        return ipaddress.ip_address(request.client.host.partition("/")[0] if request.client else "")
    except ValueError:
        return None
