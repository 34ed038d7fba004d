"""The login sessions of browsers: creates, reads, renews and ends them.

A browser keeps 256 random bits in a cookie; Redis keeps the session under their SHA-256, encrypted,
so a copy of the data in Redis is not enough to sign in. Any process can read and renew a session.
Only one process at a time renews it, at most once in ten seconds.
"""

import asyncio
import hashlib
import logging
import random
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol

from auth.sessions.backoff import Backoff
from auth.sessions.cipher import SessionCipher
from auth.sessions.oidc_client import IssuerUnavailable, LoginRefused, Tokens
from auth.sessions.session import Session, decode_session
from auth.viewer import PRIVILEGED, Viewer
from domain.errors import SessionLost, TemporarilyUnavailable, Unauthenticated
from settings import SessionSettings

log = logging.getLogger(__name__)

COOKIE_BYTES = 32
MAX_COOKIE_CHARACTERS = 64
RENEWAL_GAP_S = 10.0
"""The shortest time between two renewals of a session, across all processes."""
MAX_RENEWALS = 100
"""The maximum number of renewals at once in a process; further sessions are renewed later."""
_OTHER_RENEWAL_CHECKS = 30
_OTHER_RENEWAL_EVERY_S = 0.1
_RECHECK_SPREAD = 0.2


class SessionStore(Protocol):
    """Stores sessions under the SHA-256 of their cookies (storage/hot/login_sessions.py)."""

    async def read(self, digest: str) -> bytes | None: ...

    async def create(self, digest: str, sealed: bytes, *, expires_at: float) -> None: ...

    async def replace(self, digest: str, sealed: bytes, *, expires_at: float) -> bool: ...

    async def delete(self, digest: str) -> None: ...

    async def claim_renewal(self, digest: str, *, gap_s: float) -> bool: ...


class TokenRefresher(Protocol):
    async def refresh(self, refresh_token: str) -> Tokens:
        """Raises LoginRefused or IssuerUnavailable."""
        ...


class AccessTokenVerifier(Protocol):
    async def verify(self, token: str) -> Viewer:
        """Raises Unauthenticated or TemporarilyUnavailable."""
        ...


class Revocations(Protocol):
    @property
    def is_loaded(self) -> bool:
        """Return False at the start of the process, until the revoked logins are known."""
        ...

    def is_revoked(self, viewer: Viewer) -> bool: ...


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, randomness and pauses, which tests replace."""

    now: Callable[[], float] = time.time
    random: Callable[[], float] = random.random
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


_REAL = Clock()


class Sessions:
    def __init__(
        self,
        store: SessionStore,
        cipher: SessionCipher,
        *,
        issuer: TokenRefresher,
        verifier: AccessTokenVerifier,
        revocations: Revocations,
        settings: SessionSettings,
        privileged_recheck_s: float = 60.0,
        clock: Clock = _REAL,
    ) -> None:
        """Create the sessions.

        Organizers, gate staff and admins lose a role at most `privileged_recheck_s` after the
        issuer has removed it.
        """
        self._store = store
        self._cipher = cipher
        self._issuer = issuer
        self._verifier = verifier
        self._revocations = revocations
        self._settings = settings
        # A check starts a renewal, and the next check sees its result.
        self._privileged_step_s = privileged_recheck_s / 3
        self._clock = clock
        self._backoff = Backoff(clock.now, clock.random)
        self._renewals: dict[str, asyncio.Task[None]] = {}

    async def create(self, tokens: Tokens) -> str:
        """Create a session and return its cookie.

        Raises Unauthenticated if the access token is not accepted, SessionLost if the login has
        been revoked in the meantime, or TemporarilyUnavailable.
        """
        viewer = await self._verifier.verify(tokens.access_token)
        if tokens.subject != viewer.person_id:
            raise Unauthenticated("The issuer's tokens belong to different people; sign in again.")
        session = self._session_of(viewer, tokens, signed_in_at=viewer.issued_at)
        if self._is_revoked(session):
            raise SessionLost
        cookie = secrets.token_urlsafe(COOKIE_BYTES)
        digest = _digest(cookie)
        await self._store.create(digest, self._seal(session, digest), expires_at=session.ends_at)
        return cookie

    async def current(self, cookie: str) -> Session:
        """Return the session, renewed if that was due and possible.

        Raises SessionLost, or TemporarilyUnavailable if Redis cannot be reached.
        """
        digest = _digest(cookie) if len(cookie) <= MAX_COOKIE_CHARACTERS else ""
        session = await self._read(digest)
        if self._clock.now() < session.renew_at or session.refresh_token is None:
            return session
        renewal = self._start_renewal(digest, session)
        if renewal is None or self._clock.now() < session.expires_at:
            return session
        await asyncio.wait([renewal])
        return await self._read(digest)

    async def viewer_of(self, cookie: str) -> Viewer:
        """Return the person to whom a session belongs.

        Raises SessionLost, or TemporarilyUnavailable if Redis cannot be reached, or if the issuer
        has been unavailable for too long to vouch for the person.
        """
        session = await self.current(cookie)
        self.require_vouched(session)
        return session.viewer

    def require_vouched(self, session: Session) -> None:
        if self._clock.now() >= session.expires_at + self._settings.issuer_away_s:
            raise TemporarilyUnavailable("The issuer cannot be reached to renew your session")

    async def end(self, cookie: str) -> Session | None:
        """Delete the session and return it, or None if there was none."""
        digest = _digest(cookie)
        sealed = await self._store.read(digest)
        await self._store.delete(digest)
        return self._open(sealed, digest) if sealed is not None else None

    def recheck(self, cookie: str, viewer: Viewer) -> "SessionRecheck":
        """Return an object that rechecks the session of a connection that was just accepted."""
        every_s: float = self._settings.recheck_s
        if not viewer.roles.isdisjoint(PRIVILEGED):
            every_s = min(every_s, self._privileged_step_s / (1 + _RECHECK_SPREAD))
        return SessionRecheck(self, cookie, viewer, every_s=every_s, away_s=self._settings.issuer_away_s)

    @property
    def clock(self) -> Clock:
        return self._clock

    async def aclose(self) -> None:
        renewals = list(self._renewals.values())
        for renewal in renewals:
            renewal.cancel()
        if renewals:
            await asyncio.wait(renewals)

    # Renewals

    def _start_renewal(self, digest: str, session: Session) -> "asyncio.Task[None] | None":
        """Return the renewal in progress or a new one, or None if none may start now."""
        running = self._renewals.get(digest)
        if running is not None or self._backoff.is_waiting or len(self._renewals) >= MAX_RENEWALS:
            return running
        renewal = asyncio.create_task(self._renew(digest, session), name="renew a login session")
        self._renewals[digest] = renewal
        renewal.add_done_callback(lambda _: self._renewals.pop(digest, None))
        return renewal

    async def _renew(self, digest: str, session: Session) -> None:
        try:
            if await self._store.claim_renewal(digest, gap_s=RENEWAL_GAP_S):
                await self._renew_claimed(digest, session)
            elif self._clock.now() >= session.expires_at:
                await self._wait_for_other(digest, session)
        except TemporarilyUnavailable as error:
            log.warning("a login session could not be renewed: %s", error)

    async def _renew_claimed(self, digest: str, before: Session) -> None:
        try:
            tokens = await self._issuer.refresh(before.refresh_token or "")
        except LoginRefused as error:
            log.info("a login session has ended at the issuer: %s", error)
            await self._store.delete(digest)
            return
        except IssuerUnavailable as error:
            self._backoff.fail()
            log.warning("a login session could not be renewed: %s", error)
            return
        self._backoff.succeed()
        await self._adopt(digest, before, tokens)

    async def _adopt(self, digest: str, before: Session, tokens: Tokens) -> None:
        try:
            viewer = await self._verifier.verify(tokens.access_token)
        except TemporarilyUnavailable:
            # The issuer may accept the old refresh token only once, so the new one is kept.
            renewed = replace(before, refresh_token=tokens.refresh_token or before.refresh_token)
        except Unauthenticated as error:
            log.info("the issuer renewed a login session with an unusable token: %s", error)
            await self._store.delete(digest)
            return
        else:
            if viewer.person_id != before.person_id:
                log.warning("the issuer renewed a login session for another person")
                await self._store.delete(digest)
                return
            renewed = self._session_of(viewer, tokens, signed_in_at=before.signed_in_at, before=before)
        await self._store.replace(digest, self._seal(renewed, digest), expires_at=renewed.ends_at)

    async def _wait_for_other(self, digest: str, before: Session) -> None:
        """Wait until another process has renewed the session or has had enough time to do so."""
        for _ in range(_OTHER_RENEWAL_CHECKS):
            await self._clock.sleep(_OTHER_RENEWAL_EVERY_S)
            sealed = await self._store.read(digest)
            if sealed is None or self._open(sealed, digest) != before:
                return

    # Reading and writing

    async def _read(self, digest: str) -> Session:
        """Return the session. Raises SessionLost."""
        sealed = await self._store.read(digest) if digest else None
        session = self._open(sealed, digest) if sealed is not None else None
        if session is None:
            raise SessionLost
        is_over = session.refresh_token is None and self._clock.now() >= session.expires_at
        if is_over or self._is_revoked(session):
            await self._store.delete(digest)
            raise SessionLost
        return session

    def _is_revoked(self, session: Session) -> bool:
        if not self._revocations.is_loaded:
            raise TemporarilyUnavailable("The sessions that have ended are not known yet")
        return self._revocations.is_revoked(session.viewer)

    def _open(self, sealed: bytes, digest: str) -> Session | None:
        text = self._cipher.open(sealed, digest=digest)
        try:
            return decode_session(text) if text is not None else None
        except (ValueError, TypeError):
            # Another version of this server wrote it; the person must sign in again.
            return None

    def _seal(self, session: Session, digest: str) -> bytes:
        return self._cipher.seal(session.encode(), digest=digest)

    def _session_of(
        self, viewer: Viewer, tokens: Tokens, *, signed_in_at: float, before: Session | None = None
    ) -> Session:
        now = self._clock.now()
        expires_at = viewer.expires_at or now
        lasts_s = tokens.refresh_expires_in_s or self._settings.lifetime_s
        refresh_ends_at = max(now + lasts_s, expires_at + self._settings.issuer_away_s)
        return Session(
            person_id=viewer.person_id,
            name=viewer.name,
            email=viewer.email,
            roles=viewer.roles,
            issuer_session=viewer.session_id,
            signed_in_at=signed_in_at,
            # Spread over the last third, so that sessions that began together are not renewed
            # together.
            renew_at=now + self._renew_in_s(viewer, max(expires_at - now, 0)),
            expires_at=expires_at,
            ends_at=min(refresh_ends_at, signed_in_at + self._settings.lifetime_s),
            refresh_token=tokens.refresh_token or (before.refresh_token if before else None),
            id_token=tokens.id_token or (before.id_token if before else None),
            is_email_verified=viewer.is_email_verified,
        )

    def _renew_in_s(self, viewer: Viewer, lasts_s: float) -> float:
        due_s = lasts_s * (2 + self._clock.random()) / 3
        return due_s if viewer.roles.isdisjoint(PRIVILEGED) else min(due_s, self._privileged_step_s)


class SessionRecheck:
    """Repeatedly checks the session of an open connection."""

    def __init__(self, sessions: Sessions, cookie: str, viewer: Viewer, *, every_s: float, away_s: float) -> None:
        self._sessions = sessions
        self._cookie = cookie
        self._viewer = viewer
        self._every_s = every_s
        self._away_s = away_s
        self._clock = sessions.clock
        self._checked_at = self._clock.now()

    def delay_s(self) -> float:
        """Return the number of seconds until the next check.

        It varies, so that connections that were opened together are not checked together.
        """
        return self._every_s * (1 + _RECHECK_SPREAD * (2 * self._clock.random() - 1))

    async def check(self) -> None:
        """Raises SessionLost, Unauthenticated if the person's roles have changed, or
        TemporarilyUnavailable if no check has succeeded for too long.
        """
        try:
            session = await self._sessions.current(self._cookie)
        except TemporarilyUnavailable:
            if self._clock.now() >= self._checked_at + self._every_s + self._away_s:
                raise
            return
        self._sessions.require_vouched(session)
        if session.roles != self._viewer.roles:
            raise Unauthenticated("Your roles have changed; reconnect.")
        self._checked_at = self._clock.now()


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode(errors="replace")).hexdigest()
