"""The authorization codes and the ended sessions of the development issuer, for all processes.

A code is stored under its hash, so a copy of Redis redeems nothing.
"""

import secrets
from dataclasses import dataclass

from storage import scripts
from storage.hot import replies
from storage.hot.script_client import ScriptClient
from storage.keys import ENDED_SESSIONS_KEY, issuer_code_key
from storage.scripts import ScriptReplyError

MAX_ENDED = 10_000
"""The maximum number of ended sessions and revoked tokens. Beyond it, those that ended first are
forgotten.
"""


@dataclass(frozen=True, slots=True)
class TakenRecord:
    record: bytes
    is_replay: bool
    """Whether an earlier request has taken it."""


class IssuerLogins:
    """All methods raise TemporarilyUnavailable if Redis cannot be reached."""

    def __init__(self, client: ScriptClient) -> None:
        self._client = client

    async def add_code(self, digest: str, record: bytes, *, lasts_s: int) -> None:
        """Store what a code was issued for, under the SHA-256 hash of the code in hexadecimal."""
        keys = (issuer_code_key(digest),)
        word, _ = await self._client.call_with_keys(scripts.ADD_ISSUER_CODE, keys, record, lasts_s * 1000)
        replies.expect(scripts.ADD_ISSUER_CODE, word, "ADDED")

    async def take_code(self, digest: str, *, kept_s: int) -> TakenRecord | None:
        """Take a code. Return None if it is unknown or has expired.

        Of all calls, in all processes, one takes it; the others are replays, which are recognized
        for `kept_s` from then on.
        """
        keys, taker = (issuer_code_key(digest),), secrets.token_hex(8)
        word, rest = await self._client.call_with_keys(scripts.TAKE_ISSUER_CODE, keys, taker, kept_s * 1000)
        match word:
            case "TAKEN" | "REPLAYED":
                record = rest[0]
                assert isinstance(record, bytes)
                return TakenRecord(record, word == "REPLAYED")
            case "NO_CODE":
                return None
            case _:
                raise ScriptReplyError(scripts.TAKE_ISSUER_CODE.name, word)

    async def end(self, id_: str, *, kept_s: int) -> None:
        """Remember for `kept_s` that a session has ended, or that a token was revoked."""
        keys = (ENDED_SESSIONS_KEY,)
        word, _ = await self._client.call_with_keys(scripts.END_ISSUER_SESSION, keys, id_, kept_s * 1000, MAX_ENDED)
        replies.expect(scripts.END_ISSUER_SESSION, word, "ENDED")

    async def has_ended(self, *ids: str) -> bool:
        """Return whether at least one of these sessions and tokens has ended."""
        keys = (ENDED_SESSIONS_KEY,)
        word, _ = await self._client.call_with_keys(scripts.FIND_ENDED_SESSION, keys, *ids)
        return replies.expect(scripts.FIND_ENDED_SESSION, word, "ENDED", "ACTIVE") == "ENDED"
