"""Browser login sessions. auth/sessions/ encrypts them and never sends a cookie to Redis.

A session that has expired, been deleted, or been lost by Redis does not exist: the person must
sign in again.
"""

import secrets

from storage import scripts
from storage.hot import replies
from storage.hot.script_client import ScriptClient
from storage.keys import login_session_keys
from storage.scripts import ScriptReplyError


class LoginSessions:
    """Stores each session under its digest: the SHA-256 hash of its cookie, in hexadecimal.

    All methods raise TemporarilyUnavailable if Redis cannot be reached.
    """

    def __init__(self, client: ScriptClient) -> None:
        self._client = client

    async def read(self, digest: str) -> bytes | None:
        word, rest = await self._client.call_with_keys(scripts.READ_LOGIN_SESSION, login_session_keys(digest))
        match word:
            case "LOGIN_SESSION":
                sealed = rest[0]
                assert isinstance(sealed, bytes)
                return sealed
            case "NO_LOGIN_SESSION":
                return None
            case _:
                raise ScriptReplyError(scripts.READ_LOGIN_SESSION.name, word)

    async def create(self, digest: str, sealed: bytes, *, expires_at: float) -> None:
        """Store a new session until `expires_at`, in Unix seconds."""
        await self._write(digest, sealed, expires_at, is_new=True)

    async def replace(self, digest: str, sealed: bytes, *, expires_at: float) -> bool:
        """Store the renewed session. Return False if it no longer exists."""
        return await self._write(digest, sealed, expires_at, is_new=False)

    async def delete(self, digest: str) -> None:
        word, _ = await self._client.call_with_keys(scripts.DELETE_LOGIN_SESSION, login_session_keys(digest))
        replies.expect(scripts.DELETE_LOGIN_SESSION, word, "DELETED")

    async def claim_renewal(self, digest: str, *, gap_s: float) -> bool:
        """Return whether this process may renew the session now.

        If so, no other attempt to renew it succeeds within `gap_s`.
        """
        keys, claimer = login_session_keys(digest), secrets.token_hex(8)
        word, _ = await self._client.call_with_keys(scripts.CLAIM_LOGIN_RENEWAL, keys, claimer, int(gap_s * 1000))
        return replies.expect(scripts.CLAIM_LOGIN_RENEWAL, word, "CLAIMED", "TAKEN") == "CLAIMED"

    async def _write(self, digest: str, sealed: bytes, expires_at: float, *, is_new: bool) -> bool:
        keys, expire_at_ms = login_session_keys(digest), int(expires_at * 1000)
        word, _ = await self._client.call_with_keys(
            scripts.WRITE_LOGIN_SESSION, keys, sealed, expire_at_ms, int(is_new)
        )
        return replies.expect(scripts.WRITE_LOGIN_SESSION, word, "WRITTEN", "NO_LOGIN_SESSION") == "WRITTEN"
