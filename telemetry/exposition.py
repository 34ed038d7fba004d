"""Serves the counters of a process without an HTTP server, at `/metrics` on a separate port."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import start_http_server

from telemetry.collector import PROCESS_REGISTRY


class PortTaken(Exception):
    """The counters cannot be served at this address."""


@contextmanager
def shown_counters(host: str, port: int | None) -> Iterator[None]:
    """Serve the counters during the block, unless `port` is None. Raises PortTaken."""
    if port is None:
        yield
        return
    try:
        server, thread = start_http_server(port, host, registry=PROCESS_REGISTRY)
    except OSError as error:
        place, why = f"{host}:{port}", error.strerror or type(error).__name__
        raise PortTaken(
            f"the counters cannot be served at {place}: {why}; choose another ONSALE_WORKERS_METRICS_PORT"
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
