"""The context of one request: the stores, the viewer,
the request id, and what the request has read so far.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from auth.passes import PassSigner
from auth.viewer import Viewer
from domain.concerts import Concert
from domain.errors import Unauthenticated
from domain.ids import ConcertId, PersonId
from domain.queues import WaitingRoom
from domain.stock import Stock
from resolvers.history import SoldCounts
from resolvers.wait_tables import WaitTableCache
from storage.connect import Stores

K = TypeVar("K")
V = TypeVar("V")


class LoadOnce(Generic[K, V]):
    """Loads each key once: later callers, also during the load, get the same result or error."""

    __slots__ = ("_results",)

    def __init__(self) -> None:
        # No dict until something is loaded: each subscription keeps a context.
        self._results: dict[K, asyncio.Future[V]] | None = None

    async def get(self, key: K, load: Callable[[], Awaitable[V]]) -> V:
        if self._results is None:
            self._results = {}
        result = self._results.get(key)
        if result is None:
            result = self._results[key] = asyncio.get_running_loop().create_future()
            await self._fill(result, load)
        return await result

    def clear(self) -> None:
        self._results = None

    async def _fill(self, result: asyncio.Future[V], load: Callable[[], Awaitable[V]]) -> None:
        try:
            result.set_result(await load())
        except asyncio.CancelledError:
            result.cancel()
            raise
        except Exception as error:
            result.set_exception(error)


@dataclass(frozen=True, slots=True)
class Context:
    """Created for each request and each event of a subscription,
    so everything it has read is equally recent.
    """

    stores: Stores
    passes: PassSigner
    viewer: Viewer | None
    request_id: str
    address: str | None = None
    """Address of the client, as far as the server can tell."""
    wait_tables: WaitTableCache = field(default_factory=WaitTableCache)
    sold_counts: SoldCounts = field(default_factory=SoldCounts)
    concerts: LoadOnce[ConcertId, Concert | None] = field(default_factory=LoadOnce, init=False, compare=False)
    stocks: LoadOnce[ConcertId, Stock] = field(default_factory=LoadOnce, init=False, compare=False)
    rooms: LoadOnce[ConcertId, WaitingRoom | None] = field(default_factory=LoadOnce, init=False, compare=False)
    viewer_concerts: LoadOnce[PersonId, tuple[ConcertId, ...]] = field(
        default_factory=LoadOnce, init=False, compare=False
    )

    def signed_in(self) -> Viewer:
        """Return the viewer. Raises Unauthenticated for an anonymous caller."""
        if self.viewer is None:
            raise Unauthenticated("You are not signed in; send `Authorization: Bearer <access token>`.")
        return self.viewer

    def clear(self) -> None:
        """Forget what was read:
        mutations of one document run in order, and each shows the state after it.
        """
        for memo in (self.concerts, self.stocks, self.rooms, self.viewer_concerts):
            memo.clear()


@dataclass(frozen=True, slots=True)
class Resources:
    """Resources that a process opens once, for every request and every connection."""

    stores: Stores
    passes: PassSigner
    wait_tables: WaitTableCache = field(default_factory=WaitTableCache)
    sold_counts: SoldCounts = field(default_factory=SoldCounts)

    def context(self, viewer: Viewer | None, request_id: str, address: str | None = None) -> Context:
        return Context(self.stores, self.passes, viewer, request_id, address, self.wait_tables, self.sold_counts)
