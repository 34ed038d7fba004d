"""Logins, codes that have not been redeemed yet, and ended sessions, in memory and bounded.

A code works once, and for one minute. The first request that presents it invalidates it, even if
something else in the request is wrong; presenting it again ends the session that resulted from it.
A restart loses codes, so people sign in again, and ended sessions.
"""

import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from auth.dev_issuer.demo_users import DemoUser

CODE_LIFETIME_S = 60
"""Lifetime of a code, which is Keycloak's default; a browser redeems a code within a second."""
REFRESH_LIFETIME_S = 1_800
"""Lifetime of a refresh token, which is Keycloak's default idle time of a session.

Without a refresh, nothing that belongs to a session lives longer.
"""
MAX_REMEMBERED = 10_000
"""Maximum number of codes, and of ended sessions. Beyond it, the oldest are removed first."""


@dataclass(frozen=True, slots=True)
class Login:
    """One sign-in of one person. `session_id` is the `sid` of every token that results from it."""

    person: DemoUser
    session_id: str
    authenticated_at_s: int
    nonce: str | None = None


def new_login(person: DemoUser, nonce: str | None = None) -> Login:
    return Login(person, str(uuid.uuid4()), int(time.time()), nonce)


@dataclass(frozen=True, slots=True)
class Code:
    """Authorization code with the methods and fields that Authlib uses."""

    value: str
    redirect_uri: str
    scope: str
    code_challenge: str
    code_challenge_method: str
    login: Login

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


@dataclass(frozen=True, slots=True)
class TakenCode:
    code: Code
    is_replay: bool


@dataclass(slots=True)
class _Entry:
    code: Code
    issued_at_s: float
    is_used: bool = False


class Codes:
    """Codes by value. A used code is kept while its tokens can be refreshed, to detect a replay."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: dict[str, _Entry] = {}

    def add(self, code: Code) -> None:
        self._forget_old()
        self._entries[code.value] = _Entry(code, self._clock())

    def take(self, value: str) -> TakenCode | None:
        """Return the code and mark it as used; None if it is unknown, or expired while unused."""
        entry = self._entries.get(value)
        if entry is None or (not entry.is_used and self._clock() - entry.issued_at_s > CODE_LIFETIME_S):
            return None
        is_replay, entry.is_used = entry.is_used, True
        return TakenCode(entry.code, is_replay)

    def _forget_old(self) -> None:
        # Oldest first: a dict keeps the order of insertion.
        horizon_s = self._clock() - REFRESH_LIFETIME_S
        while self._entries:
            value, oldest = next(iter(self._entries.items()))
            if oldest.issued_at_s >= horizon_s and len(self._entries) < MAX_REMEMBERED:
                return
            del self._entries[value]


class EndedSessions:
    """Sessions ended by a logout or by a replayed code.

    As with Keycloak, an access token verified elsewhere stays valid until its `exp`.
    """

    def __init__(self) -> None:
        self._ended: dict[str, None] = {}

    def end(self, session_id: str) -> None:
        self._ended[session_id] = None
        if len(self._ended) > MAX_REMEMBERED:
            del self._ended[next(iter(self._ended))]

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._ended


def new_code_value() -> str:
    return secrets.token_urlsafe(32)
