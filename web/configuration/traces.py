"""Turns traces on for the time that a process runs, if its settings say so."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from settings import Settings
from telemetry import traces


@asynccontextmanager
async def open_traces(settings: Settings) -> AsyncIterator[None]:
    """Trace what is done during the block, unless it is part of another such block."""
    if settings.traces is None or traces.active is not None:
        yield
        return
    # The library is optional, and its import would cost every process memory and time.
    from telemetry.open_telemetry import OpenTelemetry

    tracing = OpenTelemetry(settings.traces)
    traces.active = tracing
    try:
        yield
    finally:
        traces.active = None
        await tracing.aclose()
