"""Rechecks the tokens of organizers, gate staff and administrators with the issuer.

The issuer sends no logout token for a disabled user, a removed role or a not-before policy. A token
counts as confirmed for `recheck_s` after it was issued, and after each check. Tokens in use are
rechecked before that, in the background; a request whose token has not been used for a while waits
for its check. While the issuer does not answer, its last answer counts for `EXTENSION_S` longer.
Customers are never checked in this way, so an unavailable issuer never stops a sale.
"""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from auth.revocation.issuer_checks import IssuerUnavailable, TokenState
from auth.revocation.revocations import Identified
from auth.viewer import PRIVILEGED, Role, Viewer
from domain.errors import SESSION_ENDED, TemporarilyUnavailable, Unauthenticated
from domain.ids import PersonId

log = logging.getLogger(__name__)

RECHECK_S = 60.0
EXTENSION_S = 600.0
"""How much longer the issuer's last answer counts while the issuer does not answer.

Afterward, privileged requests get 503, and privileged connections end.
"""
MAX_WATCHED = 1_000
"""The maximum number of privileged tokens, few enough to check all of them within a minute.

Beyond this limit, tokens not in use are forgotten; if all are in use, a further one gets 503.
"""
MAX_CHECKS_PER_S = 20
MAX_CONCURRENT_CHECKS = 4
CHECK_TIMEOUT_S = 5.0
REQUEST_WAIT_S = 2.0
"""How long a request waits for a check before the issuer counts as unavailable."""
RETRY_S = 5.0
"""The time between a failed check of a token and the next one."""
TICK_S = 1.0
_DUE_FRACTION = 0.9
"""The fraction of `recheck_s` after which a token in use is checked."""
_END_MARGIN_S = 5.0
"""A token is not checked just before it expires, when the issuer may already call it inactive."""

ROLES_CHANGED = "Your roles have changed; reconnect"
UNCONFIRMED = "The issuer has failed to confirm your roles for too long; try again later"


@dataclass(frozen=True, slots=True)
class Credential:
    """The access token, or the session with tokens, that a caller uses for several requests."""

    key: bytes
    ends_at_s: float | None
    """In Unix seconds; None for a session, which lasts until it is ended."""
    access_token: Callable[[], Awaitable[str]]
    """Returns a current access token. Raises IssuerUnavailable."""


def bearer_credential(token: str, viewer: Viewer) -> Credential:
    async def access_token() -> str:
        return token

    return Credential(hashlib.sha256(token.encode("ascii")).digest(), viewer.expires_at, access_token)


class TokenChecks(Protocol):
    async def check(self, token: str) -> TokenState: ...


class Connections(Protocol):
    def of_person(self, person_id: PersonId) -> Sequence[Identified]:
        """Return the callers of a person's open connections."""
        ...

    def end_refused(self, *, people: Iterable[PersonId]) -> None:
        """End these people's connections, but only those whose callers are refused."""


@dataclass(eq=False, slots=True)
class _Watched:
    credential: Credential
    viewer: Viewer
    """The viewer according to the credential."""
    current: Viewer | None
    """The viewer according to the issuer; None if the credential is no longer valid."""
    confirmed_at_s: float
    used_at_s: float
    retry_at_s: float = 0.0
    roles_seen: set[frozenset[Role]] = field(default_factory=set)
    """Every set of roles that callers with this credential have had."""
    check: "asyncio.Task[None] | None" = None

    @property
    def is_changed(self) -> bool:
        """Return whether the issuer's last answer differs from the credential."""
        return self.current is None or self.current.roles != self.viewer.roles

    def has_ended(self, now_s: float) -> bool:
        return self.credential.ends_at_s is not None and now_s >= self.credential.ends_at_s

    def may_be_of(self, caller: Identified) -> bool:
        """Return whether the caller may have used this credential: a session has several tokens."""
        is_same_token = self.credential.ends_at_s is None or caller.issued_at == self.viewer.issued_at
        return is_same_token and caller.session_id == self.viewer.session_id


class Rechecks:
    """Rechecks privileged tokens.

    Run `run` as a task. Canceling and awaiting the task cancels the running checks.
    """

    def __init__(
        self,
        checks: TokenChecks,
        *,
        recheck_s: float = RECHECK_S,
        leeway_s: float = 0.0,
        capacity: int = MAX_WATCHED,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Create the rechecks. `clock` returns Unix seconds, like the times in tokens.

        `leeway_s` is how long we accept a token after its `exp`.
        """
        self._checks = checks
        self._recheck_s = recheck_s
        self._end_margin_s = leeway_s + _END_MARGIN_S
        self._capacity = capacity
        self._clock = clock
        self._watched: OrderedDict[bytes, _Watched] = OrderedDict()
        """By credential, least recently used first."""
        self._by_person: dict[PersonId, dict[bytes, _Watched]] = {}
        self._connections: Connections | None = None
        self._subscribers: list[Callable[[Viewer], None]] = []
        self._slots = asyncio.Semaphore(MAX_CONCURRENT_CHECKS)
        self._next_start_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_issuer_down = False

    def __len__(self) -> int:
        return len(self._watched)

    def follow(self, connections: Connections) -> None:
        """Keep checking the callers of these connections, and end outdated connections."""
        self._connections = connections

    def subscribe(self, on_outdated: Callable[[Viewer], None]) -> None:
        """Call `on_outdated` with each viewer whose roles changed or whose session ended."""
        self._subscribers.append(on_outdated)

    async def current(self, credential: Credential, viewer: Viewer) -> Viewer:
        """Return the viewer with the roles that the issuer last confirmed.

        Raises Unauthenticated if the credential is no longer valid, and TemporarilyUnavailable if
        the issuer has not confirmed it for too long. Customers are returned unchanged.
        """
        if viewer.roles.isdisjoint(PRIVILEGED):
            return viewer
        watched, now_s = self._find_or_add(credential, viewer), self._clock()
        watched.used_at_s = now_s
        is_stale = now_s - watched.confirmed_at_s >= self._recheck_s
        # While the issuer is unavailable, only the background checks wait for it.
        if is_stale and watched.current is not None and not self._is_issuer_down:
            await asyncio.wait([self._start_check(watched)], timeout=REQUEST_WAIT_S)
        if watched.current is None:
            raise Unauthenticated(f"{SESSION_ENDED}.")
        if self._is_unconfirmed(watched):
            raise TemporarilyUnavailable(UNCONFIRMED.partition(";")[0], retry_after_s=int(RETRY_S))
        return watched.current

    def refusal_for(self, caller: Viewer) -> str | None:
        """Return the reason to end this caller's connections, or None."""
        for watched in self._by_person.get(caller.person_id, {}).values():
            if watched.may_be_of(caller) and caller.roles in watched.roles_seen:
                return self._refusal(watched, caller.roles)
        return None

    def _refusal(self, watched: _Watched, roles: frozenset[Role]) -> str | None:
        if watched.current is None:
            return SESSION_ENDED
        if watched.current.roles != roles:
            return ROLES_CHANGED
        return UNCONFIRMED if self._is_unconfirmed(watched) else None

    async def run(self) -> None:
        """Check the credentials in use until canceled."""
        try:
            while True:
                self.start_due_checks()
                await asyncio.sleep(TICK_S)
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Cancel the running checks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def running_checks(self) -> int:
        return len(self._tasks)

    def start_due_checks(self) -> None:
        """Start the checks that are due, and end connections that were not confirmed in time."""
        now_s = self._clock()
        for watched in list(self._watched.values()):
            is_in_use = self._is_in_use(watched, now_s)
            if watched.has_ended(now_s) or (watched.credential.ends_at_s is None and not is_in_use):
                self._remove(watched)
            elif watched.current is not None and is_in_use:
                if now_s - watched.confirmed_at_s >= _DUE_FRACTION * self._recheck_s and now_s >= watched.retry_at_s:
                    self._start_check(watched)
                if watched.check is None and self._is_unconfirmed(watched):
                    self._end_connections(watched.viewer)

    def _find_or_add(self, credential: Credential, viewer: Viewer) -> _Watched:
        watched = self._watched.get(credential.key)
        if watched is None:
            self._make_room()
            now_s = self._clock()
            confirmed_at_s = min(viewer.issued_at, now_s)
            watched = _Watched(credential, viewer, viewer, confirmed_at_s, now_s, roles_seen={viewer.roles})
            self._watched[credential.key] = watched
            self._by_person.setdefault(viewer.person_id, {})[credential.key] = watched
        elif viewer.issued_at > watched.viewer.issued_at:
            # The session has a new token, which is also the issuer's latest answer.
            watched.credential, watched.viewer = credential, viewer
            self._confirm(watched, viewer, at_s=max(min(viewer.issued_at, self._clock()), watched.confirmed_at_s))
        self._watched.move_to_end(credential.key)
        return watched

    def _make_room(self) -> None:
        if len(self._watched) < self._capacity:
            return
        now_s = self._clock()
        for watched in list(self._watched.values()):
            if watched.has_ended(now_s) or not (watched.is_changed or self._is_in_use(watched, now_s)):
                self._remove(watched)
                return
        raise TemporarilyUnavailable("Too many organizers use this server")

    def _remove(self, watched: _Watched) -> None:
        key, person_id = watched.credential.key, watched.viewer.person_id
        del self._watched[key]
        del self._by_person[person_id][key]
        if not self._by_person[person_id]:
            del self._by_person[person_id]

    def _is_in_use(self, watched: _Watched, now_s: float) -> bool:
        if now_s - watched.used_at_s < self._recheck_s:
            return True
        connected = self._connections.of_person(watched.viewer.person_id) if self._connections else ()
        return any(watched.may_be_of(caller) for caller in connected)

    def _is_unconfirmed(self, watched: _Watched) -> bool:
        return self._clock() - watched.confirmed_at_s >= self._recheck_s + EXTENSION_S

    def _start_check(self, watched: _Watched) -> "asyncio.Task[None]":
        """Return the running check, or a new one."""
        if watched.check is None:
            watched.check = asyncio.create_task(self._check(watched), name="recheck a token")
            self._tasks.add(watched.check)
            watched.check.add_done_callback(self._tasks.discard)
        return watched.check

    async def _check(self, watched: _Watched) -> None:
        try:
            async with self._slots:
                await self._wait_for_turn()
                started_s = self._clock()
                if watched.has_ended(started_s + self._end_margin_s):
                    return
                async with asyncio.timeout(CHECK_TIMEOUT_S):
                    state = await self._checks.check(await watched.credential.access_token())
        except (IssuerUnavailable, TimeoutError) as error:
            watched.retry_at_s = self._clock() + RETRY_S
            self._record_failure(error)
        except Exception:
            watched.retry_at_s = self._clock() + RETRY_S
            log.exception("a token could not be rechecked")
        else:
            self._record_success()
            self._confirm(watched, _apply(state, watched), at_s=started_s)
        finally:
            watched.check = None

    async def _wait_for_turn(self) -> None:
        """Wait until another request may be sent to the issuer."""
        now_s = asyncio.get_running_loop().time()
        start_s = max(now_s, self._next_start_s)
        self._next_start_s = start_s + 1 / MAX_CHECKS_PER_S
        await asyncio.sleep(start_s - now_s)

    def _confirm(self, watched: _Watched, confirmed: Viewer | None, *, at_s: float) -> None:
        """Record the issuer's answer. Connections end if it differs from the previous one."""
        before, watched.current, watched.confirmed_at_s = watched.current, confirmed, at_s
        if confirmed is not None:
            watched.roles_seen.add(confirmed.roles)
            if before is None or confirmed.roles == before.roles:
                return
        what = "has ended at the issuer" if confirmed is None else "now has different roles"
        log.info("a privileged session %s", what)
        for on_outdated in self._subscribers:
            on_outdated(watched.viewer)
        self._end_connections(watched.viewer)

    def _end_connections(self, viewer: Viewer) -> None:
        if self._connections is not None:
            self._connections.end_refused(people=[viewer.person_id])

    def _record_failure(self, error: Exception) -> None:
        if not self._is_issuer_down:
            log.warning("privileged sessions cannot be rechecked, trying again: %s", error or type(error).__name__)
        self._is_issuer_down = True

    def _record_success(self) -> None:
        if self._is_issuer_down:
            log.warning("privileged sessions can be rechecked again")
        self._is_issuer_down = False


def _apply(state: TokenState, watched: _Watched) -> Viewer | None:
    if not state.is_active:
        return None
    before = watched.current or watched.viewer
    return before if state.roles is None else replace(before, roles=state.roles)
