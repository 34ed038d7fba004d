"""Logins, authorization codes and ended sessions, kept in memory up to a maximum number.

A code works once, within one minute. The first request that presents it invalidates it, even if
something else in the request is wrong; presenting it again ends the session that resulted from it.
A restart loses the ended sessions and the codes; the owners of the codes have to sign in again.
"""

import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from auth.dev_issuer.demo_users import DemoUser

CODE_LIFETIME_S = 60
"""Keycloak's default lifetime of a code; a browser redeems a code within a second."""
REFRESH_LIFETIME_S = 1_800
"""The lifetime of a refresh token, equal to Keycloak's default idle timeout for a session.

Unless the session is refreshed, all its tokens have expired after this time.
"""
MAX_REMEMBERED = 10_000
"""The maximum number of codes, and of ended sessions. Beyond it, the oldest are removed."""


@dataclass(frozen=True, slots=True)
class Login:
    """One sign-in of one person. `session_id` is the `sid` of every token that results from it."""

    person: DemoUser
    client_id: str
    session_id: str
    authenticated_at_s: int | None = None
    """When the person used the sign-in page; None after a password grant, as in Keycloak."""
    nonce: str | None = None


def new_login(person: DemoUser, client_id: str) -> Login:
    return Login(person, client_id, str(uuid.uuid4()))


def new_page_login(person: DemoUser, client_id: str, *, nonce: str | None) -> Login:
    return Login(person, client_id, str(uuid.uuid4()), int(time.time()), nonce)


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code with the methods and fields that Authlib uses."""

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
    """The codes by value. Used codes are kept until their tokens expire, to detect replays."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: dict[str, _Entry] = {}

    def add(self, code: Code) -> None:
        self._forget_old()
        self._entries[code.value] = _Entry(code, self._clock())

    def take(self, value: str) -> TakenCode | None:
        """Mark the code as used and return it.

        Returns None if the code is unknown, or expired before it was used.
        """
        entry = self._entries.get(value)
        if entry is None or (not entry.is_used and self._clock() - entry.issued_at_s > CODE_LIFETIME_S):
            return None
        is_replay, entry.is_used = entry.is_used, True
        return TakenCode(entry.code, is_replay)

    def _forget_old(self) -> None:
        # A dict keeps the order of insertion, so the oldest entry is the first.
        horizon_s = self._clock() - REFRESH_LIFETIME_S
        while self._entries:
            value, oldest = next(iter(self._entries.items()))
            if oldest.issued_at_s >= horizon_s and len(self._entries) < MAX_REMEMBERED:
                return
            del self._entries[value]


class EndedSessions:
    """Remembers the `sid` of each session that a logout, a revocation or a replayed code ended, and
    the `jti` of each revoked access token.

    As with Keycloak, an access token that is verified elsewhere stays valid until its `exp`.
    """

    def __init__(self) -> None:
        self._ended: dict[str, None] = {}

    def end(self, id_: str) -> None:
        self._ended[id_] = None
        if len(self._ended) > MAX_REMEMBERED:
            del self._ended[next(iter(self._ended))]

    def __contains__(self, id_: str) -> bool:
        return id_ in self._ended

    def covers(self, claims: Mapping[str, object]) -> bool:
        """Return whether a token with these claims was revoked or belongs to an ended session."""
        return str(claims["sid"]) in self._ended or str(claims["jti"]) in self._ended


def new_code_value() -> str:
    return secrets.token_urlsafe(32)
