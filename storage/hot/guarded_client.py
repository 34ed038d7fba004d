"""A client for script calls that refuses a call while the hot state of its concert cannot be
trusted.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from domain.errors import OnsaleError
from domain.ids import ConcertId
from storage.hot.script_client import Reply, ScriptClient
from storage.scripts import Script

UNTRUSTED = ("UNKNOWN", "RECOVERING")
"""The words of a store whose state of the concert cannot be trusted."""


class RecoveryGuard(Protocol):
    """Handles concerts that the store does not know, or whose state it has partly lost."""

    async def refusal_for(self, concert_id: ConcertId, word: str) -> OnsaleError:
        """Start the recovery, and return the error to raise for UNKNOWN or RECOVERING."""


class GuardedClient:
    def __init__(self, client: ScriptClient, guard: RecoveryGuard) -> None:
        self._client = client
        self._guard = guard

    async def call(self, script: Script, concert_id: ConcertId, *args: str | int) -> tuple[str, Reply]:
        """Call a script. Return the word of its reply and the values after it.

        Raises the guard's error for UNKNOWN and RECOVERING.
        """
        word, rest = await self._client.call(script, concert_id, *args)
        if word in UNTRUSTED:
            raise await self.refusal_for(concert_id, word)
        return word, rest

    def send_for(
        self, concert_id: ConcertId, script: Script, args: Sequence[str | int], *, units: int
    ) -> "asyncio.Future[list[Any]]":
        """Send a call without a coroutine. The caller decodes the reply, and raises `refusal_for`
        if its word is one of UNTRUSTED.
        """
        return self._client.send_for(concert_id, script, args, units=units)

    async def refusal_for(self, concert_id: ConcertId, word: str) -> OnsaleError:
        return await self._guard.refusal_for(concert_id, word)
