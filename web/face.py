"""The face on opened stores: HTTP, sockets and event streams, which share one hub and are counted together."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from auth.viewer import Viewer
from resolvers.context import Resources
from resolvers.snapshots import StoreReader
from subscriptions.bands import Bands
from subscriptions.capacity import Capacity
from subscriptions.feed import Feed
from subscriptions.hub import Hub
from subscriptions.limits import Limits
from subscriptions.operations import Verifier
from subscriptions.transport_ws import GraphQLSocket
from web.graphql import GraphQLEndpoint
from web.pages import not_built
from web.starting import Starter
from web.streaming import EventStreams

_DEFAULTS = Limits()


@dataclass(frozen=True, slots=True)
class Face:
    http: GraphQLEndpoint
    socket: GraphQLSocket[Viewer]
    streams: EventStreams


@asynccontextmanager
async def open_face(
    resources: Resources,
    verifier: Verifier[Viewer],
    *,
    redis_url: str,
    tick_s: float,
    bands: Bands,
    max_body_bytes: int,
    allowed_origins: Sequence[str] = (),
    limits: Limits = _DEFAULTS,
    page: Callable[[Request], Response] = not_built,
) -> AsyncIterator[Face]:
    """`tick_s` is the shortest time between two looks at what is watched, `bands` how far behind places in line may be.

    Opens even when the store is down.
    """
    async with aclosing(Feed(redis_url)) as feed:
        await feed.start()
        hub = Hub(feed, _reader(resources), resources.stores.queues, tick_s=tick_s, bands=bands)
        async with aclosing(hub):
            starter, capacity = Starter(resources, hub), Capacity(limits)
            streams = EventStreams(starter, limits=limits, capacity=capacity)
            yield Face(
                http=GraphQLEndpoint(resources, verifier, streams=streams, max_body_bytes=max_body_bytes, page=page),
                socket=GraphQLSocket(
                    starter, verifier, limits=limits, capacity=capacity, allowed_origins=allowed_origins
                ),
                streams=streams,
            )


def _reader(resources: Resources) -> StoreReader:
    return StoreReader(resources.stores, resources.passes)
