"""Waits for a condition instead of sleeping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

POLL_S = 0.01


async def wait_until(
    condition: Callable[[], object | Awaitable[object]],
    *,
    timeout: float = 60.0,  # noqa: ASYNC109 - the failure must name the condition
    what: str = "the condition",
) -> None:
    """Poll `condition`, which may be async, until it is true.

    The timeout is generous so that no test fails on a busy machine. Raises AssertionError with the
    last result after the timeout.
    """
    deadline = time.monotonic() + timeout
    while True:
        seen = condition()
        if inspect.isawaitable(seen):
            seen = await seen
        if seen:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"timed out after {timeout} s waiting for {what}; the last result was {seen!r}")
        await asyncio.sleep(POLL_S)
