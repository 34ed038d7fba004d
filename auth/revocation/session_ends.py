"""Ends sessions in this process: refuses their tokens and closes their connections.

Ties together the revocations in the database, the rechecks with the issuer, the token cache and the
connections.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from auth.issuer_http import IssuerHttp
from auth.revocation.backchannel_logout import BackchannelLogout
from auth.revocation.issuer_checks import IssuerChecks
from auth.revocation.logout_tokens import LogoutTokenVerifier
from auth.revocation.rechecks import Rechecks
from auth.revocation.revocations import Identified, Revocations, Store
from auth.revocation.verifier import RevocationVerifier
from auth.roles_claim import RolesClaim
from auth.tokens import TokenVerifier
from auth.viewer import Viewer
from domain.errors import SESSION_ENDED
from domain.identity.revocations import Revocation
from domain.ids import PersonId
from settings.oidc import OidcSettings

START_WAIT_S = 2.0
"""How long startup waits for the first read of the revocations.

Afterward, the process serves requests, but until a read succeeds, those with credentials get 503.
"""


class Connections(Protocol):
    """The connections of signed-in callers."""

    def of_person(self, person_id: PersonId) -> Sequence[Identified]: ...

    def refuse_if(self, refusal_for: Callable[[Identified], str | None]) -> None: ...

    def end_refused(self, *, people: Iterable[PersonId] = (), sessions: Iterable[str] = ()) -> None: ...


@dataclass(frozen=True, slots=True)
class SessionEnds:
    revocations: Revocations
    verifier: RevocationVerifier
    """Verifies tokens for all transports."""
    new_token_verifier: RevocationVerifier
    """Verifies tokens that the issuer has just sent us for a login session. These tokens
    need no recheck, because the session gets new tokens before one would be due.
    """
    backchannel_logout: BackchannelLogout
    rechecks: Rechecks

    def follow(self, connections: Connections) -> None:
        """End the connections whose session ends or whose caller's roles change."""
        connections.refuse_if(self._refusal_for)
        self.rechecks.follow(connections)

        def end_connections(new: Sequence[Revocation]) -> None:
            people, sessions = _subjects(new)
            connections.end_refused(people=people, sessions=sessions)

        self.revocations.subscribe(end_connections)

    def on_hint(self, _: str) -> None:
        """Read the revocations now, because another process has recorded one."""
        self.revocations.wake()

    def _refusal_for(self, caller: Identified) -> str | None:
        if self.revocations.is_revoked(caller):
            return SESSION_ENDED
        return self.rechecks.refusal_for(caller) if isinstance(caller, Viewer) else None


@asynccontextmanager
async def open_session_ends(
    store: Store,
    tokens: TokenVerifier,
    *,
    publish_hint: Callable[[], None],
    issuer: IssuerHttp,
    settings: OidcSettings,
) -> AsyncIterator[SessionEnds]:
    """Start reading revocations and rechecking privileged callers.

    This succeeds even if the database or the issuer is down.
    """
    revocations = Revocations(store, publish_hint=publish_hint)
    revocations.subscribe(lambda new: _forget_tokens(tokens, new))
    logouts = LogoutTokenVerifier(
        tokens.keys,
        issuer.issuer,
        client_ids=[settings.client_id],
        algorithms=settings.algorithms,
        leeway_s=settings.leeway_s,
    )
    roles = RolesClaim(settings.roles_claim, settings.role_names)
    checks = IssuerChecks(
        issuer, client_id=settings.client_id, client_secret=settings.client_secret, read_roles=roles.read
    )
    rechecks = Rechecks(checks, recheck_s=settings.recheck_s, leeway_s=settings.leeway_s)
    rechecks.subscribe(lambda outdated: tokens.forget_where(lambda viewer: viewer == outdated))
    tasks = [asyncio.create_task(work) for work in (revocations.run(), rechecks.run())]
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_WAIT_S):
                await revocations.wait_until_loaded()
        yield SessionEnds(
            revocations,
            RevocationVerifier(tokens, revocations, rechecks),
            RevocationVerifier(tokens, revocations),
            BackchannelLogout(logouts, revocations),
            rechecks,
        )
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await checks.aclose()


def _subjects(revocations: Sequence[Revocation]) -> tuple[set[PersonId], set[str]]:
    """Return the people and the sessions that the revocations concern."""
    people = {one.person_id for one in revocations if one.person_id is not None}
    return people, {one.session_id for one in revocations if one.session_id is not None}


def _forget_tokens(tokens: TokenVerifier, revocations: Sequence[Revocation]) -> None:
    """Remove the cached tokens of these people and sessions; valid ones are verified again."""
    people, sessions = _subjects(revocations)
    tokens.forget_where(lambda viewer: viewer.session_id in sessions or viewer.person_id in people)
