"""Rate limits: how often a person or an address may do something in a window of time."""

from domain.errors import RateLimited
from storage import scripts
from storage.hot.script_client import ScriptClient
from storage.keys import rate_key
from storage.scripts import ScriptReplyError


class RateLimits:
    def __init__(self, client: ScriptClient) -> None:
        self._client = client

    async def count_attempt(self, what: str, who: str, *, limit: int, window_s: int) -> None:
        """Count one attempt.

        Raises RateLimited if `who` has done `what` more than `limit` times in the window.
        """
        word, rest = await self._client.call_with_keys(
            scripts.COUNT_ATTEMPT, (rate_key(what, who),), limit, window_s * 1000
        )
        match word:
            case "ALLOWED":
                return
            case "RATE_LIMITED":
                raise RateLimited(what, max(1, -(-int(rest[0]) // 1000)))
            case _:
                raise ScriptReplyError(scripts.COUNT_ATTEMPT.name, word)
