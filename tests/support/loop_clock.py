"""Moves the clock of the running event loop on, so that its timers are due without waiting."""

import asyncio
from collections.abc import Callable


def advance_loop_clock(seconds: float) -> None:
    """Make every timer due that was set for the next `seconds`.

    Only for a loop of the test's own: the clock of the loop stays ahead.
    """
    loop = asyncio.get_running_loop()
    read_clock: Callable[[], float] = loop.time
    setattr(loop, "time", lambda: read_clock() + seconds)  # noqa: B010 - mypy forbids to assign a method
