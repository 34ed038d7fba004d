"""Lets everybody else have a turn of the loop once this much was done in one go, however long each thing takes."""

import asyncio
import time

TURN_S = 0.004
"""A hold that comes meanwhile waits no longer, but for what was begun."""


class Breath:
    __slots__ = ("_since_s",)

    def __init__(self) -> None:
        self._since_s = time.monotonic()

    async def take(self) -> None:
        if time.monotonic() - self._since_s > TURN_S:
            await asyncio.sleep(0)
            self._since_s = time.monotonic()
