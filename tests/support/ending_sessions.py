"""Serves GraphQL and back-channel logout on real stores, as one of several processes."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute

from auth.callers import Callers, NoSessions
from auth.issuer_http import IssuerHttp
from auth.public_site import Site
from auth.revocation.backchannel_logout import PATH
from auth.revocation.session_ends import SessionEnds, open_session_ends
from auth.tokens import TokenVerifier
from resolvers.context import Resources
from settings import OidcSettings
from storage.connect import Stores
from storage.keys import REVOCATIONS_CHANNEL
from tests.support.hub_recorder import PUSH_INTERVALS, TICK_S
from tests.support.logout_tokens import CLIENT_ID
from tests.support.sale import PASSES
from tests.support.serving import serving
from tests.support.shop import MAX_BODY_BYTES, LateService
from tests.support.switches import add_fast_path
from web.graphql_service import GraphQLService, open_graphql_service


@dataclass(frozen=True, slots=True)
class Process:
    client: httpx2.AsyncClient
    tokens: TokenVerifier
    session_ends: SessionEnds
    service: GraphQLService

    async def ask(self, token: str | None, query: str = "{ me { id } }") -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self.client.post("/graphql", json={"query": query}, headers=headers)


@asynccontextmanager
async def process_on(
    stores: Stores, redis_url: str, *, issuer: str, client_secret: str | None = None, recheck_s: int = 60
) -> AsyncIterator[Process]:
    late, state = LateService(), dict[str, Any]()
    settings = OidcSettings(client_id=CLIENT_ID, client_secret=client_secret, recheck_s=recheck_s)
    async with (
        aclosing(TokenVerifier(IssuerHttp(issuer), settings)) as tokens,
        open_session_ends(
            stores.revocations,
            tokens,
            publish_hint=lambda: stores.hint_publisher.publish(REVOCATIONS_CHANNEL),
            issuer=IssuerHttp(issuer),
            settings=settings,
        ) as session_ends,
        open_graphql_service(
            Resources(stores, PASSES),
            Callers(session_ends.verifier, site=Site("http://localhost"), sessions=NoSessions()),
            redis_url=redis_url,
            tick_s=TICK_S,
            push_intervals=PUSH_INTERVALS,
            max_body_bytes=MAX_BODY_BYTES,
        ) as late.service,
        serving(lambda _: Starlette(routes=_routes(late, session_ends)), state=state) as base,
        httpx2.AsyncClient(base_url=base, timeout=30) as client,
    ):
        session_ends.follow(late.service.connection_counter.callers)
        late.service.feed.listen(REVOCATIONS_CHANNEL, session_ends.on_hint)
        add_fast_path(state, late.service)
        yield Process(client, tokens, session_ends, late.service)
        late.service.event_streams.stop_all()


def _routes(graphql: LateService, session_ends: SessionEnds) -> list[BaseRoute]:
    logout = Route(PATH, session_ends.backchannel_logout.answer, methods=["POST"])
    return [Route("/graphql", graphql), WebSocketRoute("/graphql", graphql), logout]
