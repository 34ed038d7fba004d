"""Waits for a condition, with a time limit."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable


async def wait_until(
    condition: Callable[[], bool | Awaitable[bool]], *, within_s: float, poll_interval_s: float
) -> bool:
    """Poll `condition`, which may be async, and return whether it became true in time."""
    deadline = time.monotonic() + within_s
    while True:
        result = condition()
        if await result if inspect.isawaitable(result) else result:
            return True
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(poll_interval_s)
