"""Script calls for one concert, refused while the state of its store cannot be trusted."""

from typing import Protocol

from domain.errors import OnsaleError
from domain.ids import ConcertId
from storage.hot.script_client import Reply, ScriptClient
from storage.scripts import Script


class RecoveryGuard(Protocol):
    """Is told that the store does not know a concert, or has lost some of its state."""

    async def refusal_for(self, concert_id: ConcertId, word: str) -> OnsaleError:
        """Start what heals it, and return the error to raise for UNKNOWN or RECOVERING."""


class GuardedClient:
    def __init__(self, client: ScriptClient, guard: RecoveryGuard) -> None:
        self._client = client
        self._guard = guard

    async def call(self, script: Script, concert_id: ConcertId, *args: str | int) -> tuple[str, Reply]:
        """Return the word of the reply and what follows it. Raises the guard's error for UNKNOWN and RECOVERING."""
        word, rest = await self._client.call(script, concert_id, *args)
        if word in ("UNKNOWN", "RECOVERING"):
            raise await self._guard.refusal_for(concert_id, word)
        return word, rest
