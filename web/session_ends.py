"""Ends sessions in this process: refuses their tokens and closes their connections.

Joins the revocations in the database, the hints of the broker, the token cache and the connections.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from auth.issuer_http import IssuerHttp
from auth.jwks import ALGORITHMS
from auth.revocation.backchannel_logout import BackchannelLogout
from auth.revocation.issuer_checks import IssuerChecks
from auth.revocation.logout_tokens import LogoutTokenVerifier
from auth.revocation.rechecks import RECHECK_S, SESSION_ENDED, Rechecks
from auth.revocation.revocations import Revocations
from auth.revocation.verifier import RevocationVerifier
from auth.tokens import TokenVerifier, read_roles
from auth.viewer import Viewer
from domain.errors import TemporarilyUnavailable
from domain.identity.revocations import Revocation
from storage.connect import Stores
from storage.hot.hint_publisher import HintPublisher
from storage.keys import REVOCATIONS_CHANNEL
from subscriptions.interfaces import Caller
from web.graphql_service import GraphQLService

START_WAIT_S = 2.0
"""How long the start waits for the first read of the revocations.

Afterward, the process serves, but answers credentials with 503 until it has read them.
"""


@dataclass(frozen=True, slots=True)
class SessionEnds:
    revocations: Revocations
    verifier: RevocationVerifier
    """Verifies tokens for all transports."""
    backchannel_logout: BackchannelLogout
    rechecks: Rechecks

    def connect(self, service: GraphQLService) -> None:
        """Read revocations at each hint, and end the connections that they concern."""
        callers = service.connection_counter.callers
        callers.refuse_if(self._refusal_for)
        self.rechecks.follow(callers)

        def end_connections(new: Sequence[Revocation]) -> None:
            people = [one.person_id for one in new if one.person_id is not None]
            callers.end_refused(people=people, sessions=[one.session_id for one in new if one.session_id is not None])

        self.revocations.subscribe(end_connections)
        service.feed.listen(REVOCATIONS_CHANNEL, lambda _: self.revocations.wake())

    def _refusal_for(self, caller: Caller) -> str | None:
        if self.revocations.is_revoked(caller):
            return SESSION_ENDED
        return self.rechecks.refusal_for(caller) if isinstance(caller, Viewer) else None


@asynccontextmanager
async def open_session_ends(
    stores: Stores,
    tokens: TokenVerifier,
    *,
    issuer: IssuerHttp,
    client_id: str,
    client_secret: str | None = None,
    recheck_s: float = RECHECK_S,
) -> AsyncIterator[SessionEnds]:
    """Start to read revocations and to recheck privileged callers.

    This succeeds even if the database or the issuer is down.
    """
    hints = HintPublisher(stores.script_client)

    def publish_hint() -> None:
        with contextlib.suppress(TemporarilyUnavailable):
            stores.detached_tasks.start(hints.publish(REVOCATIONS_CHANNEL))

    revocations = Revocations(stores.revocations, publish_hint=publish_hint)
    revocations.subscribe(lambda _: tokens.forget_where(revocations.is_revoked))
    logouts = LogoutTokenVerifier(tokens.keys, issuer.issuer, client_ids=[client_id], algorithms=ALGORITHMS)
    checks = IssuerChecks(issuer, client_id=client_id, client_secret=client_secret, read_roles=read_roles)
    rechecks = Rechecks(checks, recheck_s=recheck_s)
    rechecks.subscribe(lambda outdated: tokens.forget_where(lambda viewer: viewer == outdated))
    tasks = [asyncio.create_task(work) for work in (revocations.run(), rechecks.run())]
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_WAIT_S):
                await revocations.wait_until_loaded()
        verifier = RevocationVerifier(tokens, revocations, rechecks)
        yield SessionEnds(revocations, verifier, BackchannelLogout(logouts, revocations), rechecks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await checks.aclose()
