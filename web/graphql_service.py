"""The GraphQL service on open stores: HTTP, sockets and event streams.

Sockets and event streams share one hub and one connection count.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from auth.callers import Callers
from auth.viewer import Viewer
from resolvers.context import Resources
from resolvers.snapshots import StoreSnapshotReader
from schema import DocumentRules, Engine, build_engine
from subscriptions.feed import Feed
from subscriptions.hub import Hub
from subscriptions.publishing.push_intervals import PushIntervals
from subscriptions.sockets.connection_limits import ConnectionCounter
from subscriptions.sockets.limits import Limits
from subscriptions.transport_ws import GraphQLSocket
from web.event_streams import EventStreams
from web.graphql import GraphQLEndpoint
from web.operation_runner import HubOperationRunner
from web.pages.graphiql import build_missing_page

_DEFAULTS = Limits()


@dataclass(frozen=True, slots=True)
class GraphQLService:
    http: GraphQLEndpoint
    socket: GraphQLSocket[Viewer]
    event_streams: EventStreams
    feed: Feed
    connection_counter: ConnectionCounter


@asynccontextmanager
async def open_graphql_service(
    resources: Resources,
    callers: Callers,
    *,
    redis_url: str,
    tick_s: float,
    push_intervals: PushIntervals,
    max_body_bytes: int,
    loop_share: float = 1.0,
    allowed_origins: Sequence[str] = (),
    allows_loopback_origins: bool = False,
    limits: Limits = _DEFAULTS,
    engine: Engine | None = None,
    page: Callable[[Request], Response] = build_missing_page,
) -> AsyncIterator[GraphQLService]:
    """Open the service and yield it, even if a store is down.

    `tick_s` is the shortest time between two refreshes, and `loop_share` the part of the time that
    they may take. `push_intervals` limit the age of a published position. If `engine` is None, an
    engine with the default rules is built.
    """
    engine = engine or build_engine(DocumentRules())
    async with aclosing(Feed(redis_url)) as feed:
        await feed.start()
        hub = Hub(
            feed,
            _reader(resources),
            resources.stores.queues,
            tick_s=tick_s,
            loop_share=loop_share,
            push_intervals=push_intervals,
        )
        async with aclosing(hub):
            runner, connection_counter = HubOperationRunner(resources, hub, engine), ConnectionCounter(limits)
            streams = EventStreams(runner, limits=limits, connection_counter=connection_counter)
            yield GraphQLService(
                http=GraphQLEndpoint(
                    resources, callers, engine=engine, streams=streams, max_body_bytes=max_body_bytes, page=page
                ),
                socket=GraphQLSocket(
                    runner,
                    callers,
                    limits=limits,
                    connection_counter=connection_counter,
                    allowed_origins=allowed_origins,
                    allows_loopback_origins=allows_loopback_origins,
                ),
                event_streams=streams,
                feed=feed,
                connection_counter=connection_counter,
            )


def _reader(resources: Resources) -> StoreSnapshotReader:
    return StoreSnapshotReader(resources.stores, resources.passes, resources.wait_tables)
