"""Rate limits: how often a person or an address may do something within a time window."""

from domain.errors import RateLimited
from storage import scripts
from storage.hot.script_client import ScriptClient
from storage.keys import rate_key
from storage.scripts import ScriptReplyError


class RateLimits:
    def __init__(self, client: ScriptClient) -> None:
        self._client = client

    async def count_attempt(self, action: str, subject: str, *, limit: int, window_s: int) -> None:
        """Count one attempt.

        Raises RateLimited if `subject`, a person or an address, has made more than `limit` attempts
        at `action` in the window.
        """
        word, rest = await self._client.call_with_keys(
            scripts.COUNT_ATTEMPT, (rate_key(action, subject),), limit, window_s * 1000
        )
        match word:
            case "ALLOWED":
                return
            case "RATE_LIMITED":
                raise RateLimited(action, max(1, -(-int(rest[0]) // 1000)))
            case _:
                raise ScriptReplyError(scripts.COUNT_ATTEMPT.name, word)
