"""One request as the schema's fields see it: the resolvers' context, and every concert, stock and room read once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeAlias, TypeVar

import strawberry
from graphql import GraphQLField, GraphQLResolveInfo, GraphQLSchema

from domain.concerts import Concert
from domain.ids import ConcertId
from domain.money import CurrencyCode
from domain.queues import WaitingRoom
from domain.stock import Stock
from resolvers import concerts as resolve
from resolvers import rooms
from resolvers.context import Context

K = TypeVar("K")
V = TypeVar("V")


class Once(Generic[K, V]):
    """Reads each key once: whoever asks while it is being read, or later, gets the first one's answer or error."""

    def __init__(self) -> None:
        self._answers: dict[K, asyncio.Future[V]] = {}

    async def get(self, key: K, read: Callable[[], Awaitable[V]]) -> V:
        if key not in self._answers:
            self._answers[key] = asyncio.get_running_loop().create_future()
            await self._fill(self._answers[key], read)
        return await self._answers[key]

    async def _fill(self, answer: asyncio.Future[V], read: Callable[[], Awaitable[V]]) -> None:
        try:
            answer.set_result(await read())
        except asyncio.CancelledError:
            answer.cancel()
            raise
        except Exception as error:
            answer.set_exception(error)


class Request:
    def __init__(self, context: Context) -> None:
        self.context = context
        self.request_id = context.request_id
        self.forget()

    def forget(self) -> None:
        """What was read so far may have changed."""
        self._concerts: Once[ConcertId, Concert | None] = Once()
        self._stocks: Once[ConcertId, Stock] = Once()
        self._rooms: Once[ConcertId, WaitingRoom | None] = Once()

    async def concert(self, concert_id: ConcertId) -> Concert | None:
        return await self._concerts.get(concert_id, lambda: resolve.get_concert(self.context, concert_id))

    async def currency(self, concert_id: ConcertId) -> CurrencyCode:
        """Raises NotFound."""
        return await resolve.get_currency(self.context, concert_id)

    async def stock(self, concert: Concert) -> Stock:
        """Raises TemporarilyUnavailable."""
        return await self._stocks.get(concert.id, lambda: resolve.read_stock(self.context, concert))

    async def room(self, concert_id: ConcertId) -> WaitingRoom | None:
        """Raises TemporarilyUnavailable."""
        return await self._rooms.get(concert_id, lambda: rooms.get_waiting_room(self.context, concert_id))


def forget_before_mutations(schema: GraphQLSchema) -> None:
    """Mutations of one document run one after the other, and each shows what is true after it."""
    for field in schema.mutation_type.fields.values() if schema.mutation_type else ():
        field.resolve = _forgetting(field)


def _forgetting(field: GraphQLField) -> Callable[..., object]:
    resolve = field.resolve
    assert resolve is not None

    def forgetting(source: object, info: GraphQLResolveInfo[Request], **arguments: object) -> object:
        info.context.forget()
        return resolve(source, info, **arguments)

    return forgetting


Info: TypeAlias = strawberry.Info[Request, None]

# The schema says `id` and `input`; in Python these are names of builtins.
ID = strawberry.argument(name="id")
INPUT = strawberry.argument(name="input")
