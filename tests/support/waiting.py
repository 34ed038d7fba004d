"""Waiting for what should come true, instead of sleeping for as long as it might take."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

POLL_S = 0.01


async def wait_until(
    condition: Callable[[], object | Awaitable[object]],
    *,
    timeout: float = 30.0,  # noqa: ASYNC109 - the failure must say what was waited for
    what: str = "the condition",
) -> None:
    """Returns once `condition()`, or what it awaits to, is true; fails with what it was last."""
    deadline = time.monotonic() + timeout
    while True:
        seen = condition()
        if inspect.isawaitable(seen):
            seen = await seen
        if seen:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout} s; it was {seen!r}")
        await asyncio.sleep(POLL_S)
