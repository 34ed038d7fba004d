"""Measures how late the event loop runs a timer, four times a second."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from telemetry.metrics import loop_lag_seconds

EVERY_S = 0.25


@contextmanager
def measure_loop_lag() -> Iterator[None]:
    """Measure the running event loop during the block."""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle

    def measure() -> None:
        nonlocal timer
        loop_lag_seconds.observe(max(0.0, loop.time() - timer.when()))
        timer = loop.call_later(EVERY_S, measure)

    timer = loop.call_later(EVERY_S, measure)
    try:
        yield
    finally:
        timer.cancel()
