"""A client for script calls that refuses a call while the hot state of its concert cannot be
trusted.
"""

from typing import Protocol

from domain.errors import OnsaleError
from domain.ids import ConcertId
from storage.hot.script_client import Reply, ScriptClient
from storage.scripts import Script


class RecoveryGuard(Protocol):
    """Handles concerts that the store does not know, or whose state it has partly lost."""

    async def refusal_for(self, concert_id: ConcertId, word: str) -> OnsaleError:
        """Start the recovery, and return the error to raise for UNKNOWN or RECOVERING."""


class GuardedClient:
    def __init__(self, client: ScriptClient, guard: RecoveryGuard) -> None:
        self._client = client
        self._guard = guard

    async def call(self, script: Script, concert_id: ConcertId, *args: str | int, units: int = 0) -> tuple[str, Reply]:
        """Call a script. Return the word of its reply and the values after it.

        Raises the guard's error for UNKNOWN and RECOVERING.
        """
        word, rest = await self._client.call(script, concert_id, *args, units=units)
        if word in ("UNKNOWN", "RECOVERING"):
            raise await self._guard.refusal_for(concert_id, word)
        return word, rest
