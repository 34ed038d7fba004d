"""Ends sessions in this process: refuses their tokens and closes their connections.

Joins the revocations in the database, the hints of the broker, the token cache and the connections.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from auth.jwks import ALGORITHMS
from auth.revocation.backchannel_logout import BackchannelLogout
from auth.revocation.logout_tokens import LogoutTokenVerifier
from auth.revocation.revocations import Revocations
from auth.revocation.verifier import SESSION_ENDED, RevocationVerifier
from auth.tokens import TokenVerifier
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

    def connect(self, service: GraphQLService) -> None:
        """Read revocations at each hint, and end the connections that they concern."""
        callers = service.connection_counter.callers
        callers.refuse_if(self._refusal_for)

        def end_connections(new: Sequence[Revocation]) -> None:
            people = [one.person_id for one in new if one.person_id is not None]
            callers.end_refused(people=people, sessions=[one.session_id for one in new if one.session_id is not None])

        self.revocations.subscribe(end_connections)
        service.feed.listen(REVOCATIONS_CHANNEL, lambda _: self.revocations.wake())

    def _refusal_for(self, caller: Caller) -> str | None:
        return SESSION_ENDED if self.revocations.is_revoked(caller) else None


@asynccontextmanager
async def open_session_ends(
    stores: Stores, tokens: TokenVerifier, *, issuer: str, client_ids: Sequence[str]
) -> AsyncIterator[SessionEnds]:
    """Start to read revocations. This succeeds even if the database is down."""
    hints = HintPublisher(stores.script_client)

    def publish_hint() -> None:
        with contextlib.suppress(TemporarilyUnavailable):
            stores.detached_tasks.start(hints.publish(REVOCATIONS_CHANNEL))

    revocations = Revocations(stores.revocations, publish_hint=publish_hint)
    revocations.subscribe(lambda _: tokens.forget_where(revocations.is_revoked))
    logout_verifier = LogoutTokenVerifier(tokens.keys, issuer, client_ids=client_ids, algorithms=ALGORITHMS)
    reading = asyncio.create_task(revocations.run(), name="read revocations")
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_WAIT_S):
                await revocations.wait_until_loaded()
        yield SessionEnds(
            revocations, RevocationVerifier(tokens, revocations), BackchannelLogout(logout_verifier, revocations)
        )
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
