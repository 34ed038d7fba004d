"""`/metrics` in Prometheus format, for operators only: the counters of this process, and payment
gauges.

The gauges show stuck orders, payment events that need a person's attention, and the age of the
oldest due order. They are read from MongoDB, so every process of the application shows the same
ones, whichever processes run the workers.
"""

import asyncio
import ipaddress
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from domain.errors import TemporarilyUnavailable
from storage.connect import Stores
from storage.mongo.payments.payment_figures import PaymentFigures
from telemetry.outage_log import OutageLog

log = logging.getLogger(__name__)
_outage = OutageLog(log, "reading the payment gauges")

_FORWARDED = ("x-forwarded-for", "x-forwarded-host", "forwarded", "via")
REFRESH_S = 10.0
"""The shortest time between two reads by a process, however often it is scraped."""
WITHIN_S = 5.0


class PaymentGauges:
    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._clock = clock
        self._now = now
        self._reading = asyncio.Lock()
        self._read_at = float("-inf")
        self._shown = b""

    async def show(self, stores: Stores) -> bytes:
        """Return the gauges in Prometheus format.

        While MongoDB does not answer, `onsale_payment_gauges_read` is 0 and the others are missing,
        because an old value would look like a current one.
        """
        async with self._reading:
            if self._clock() - self._read_at >= REFRESH_S:
                self._shown = await self._read(stores)
                self._read_at = self._clock()
            return self._shown

    async def _read(self, stores: Stores) -> bytes:
        now = self._now()
        try:
            async with asyncio.timeout(WITHIN_S):
                concerts = await stores.concert_cache.list_all()
                figures = await stores.payment_figures.read([concert.id for concert in concerts], now)
        except (TemporarilyUnavailable, TimeoutError) as error:
            _outage.failed("gauges", error)
            return _format(None, now)
        _outage.succeeded("gauges")
        return _format(figures, now)


def _format(figures: PaymentFigures | None, now: datetime) -> bytes:
    registry = CollectorRegistry()
    read = Gauge("onsale_payment_gauges_read", "1 if MongoDB answered, otherwise 0.", registry=registry)
    read.set(figures is not None)
    if figures is not None:
        stuck = Gauge("onsale_stuck_orders", "Stuck orders, by reason.", ["reason"], registry=registry)
        events = Gauge("onsale_payment_inbox", "Payment events kept back, by state.", ["state"], registry=registry)
        oldest = Gauge("onsale_oldest_due_order_seconds", "Age of the oldest due work, or 0.", registry=registry)
        for reason, count in figures.stuck.items():
            stuck.labels(reason.value).set(count)
        for state, count in figures.events.items():
            events.labels(state.lower()).set(count)
        oldest.set((now - figures.oldest_due_at).total_seconds() if figures.oldest_due_at else 0)
    return generate_latest(registry)


def metrics_routes(readers: Sequence[str]) -> list[BaseRoute]:
    """Return the route. Only clients in the networks `readers` see the counters; others get 404.

    Requests that an unknown proxy has forwarded get 404 too. A proxy on this machine that is not in
    ONSALE_TRUSTED_PROXIES would otherwise show the counters to the whole internet.
    """
    gauges = PaymentGauges()
    networks = [ipaddress.ip_network(reader) for reader in readers]

    async def metrics(request: Request) -> Response:
        address = _parse(request)
        is_reader = address is not None and any(address in network for network in networks)
        # web/proxies.py has removed the headers of trusted proxies.
        if not is_reader or any(name in request.headers for name in _FORWARDED):
            return PlainTextResponse("Not Found", status_code=404)
        stores: Stores | None = getattr(request.state, "stores", None)
        shared = b"" if stores is None else await gauges.show(stores)
        content = generate_latest() + shared
        return Response(content, media_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})

    return [Route("/metrics", metrics)]


def _parse(request: Request) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the client's address, or the first one in its network if only the network is known."""
    try:
        return ipaddress.ip_address(request.client.host.partition("/")[0] if request.client else "")
    except ValueError:
        return None
