"""Makes several calls at the same time."""

import asyncio
from collections.abc import Awaitable
from typing import Any


async def gather_results(*calls: Awaitable[Any]) -> list[Any]:
    """Return the result or the exception of each call."""
    return await asyncio.gather(*calls, return_exceptions=True)
