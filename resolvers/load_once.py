"""Memoizes the reads of one request: each key is read once, and those of one page together."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeAlias, TypeVar

K = TypeVar("K")
V = TypeVar("V")
Shown = TypeVar("Shown")

Load: TypeAlias = Callable[[], Awaitable[V]]
NowOrLater: TypeAlias = V | Awaitable[V]
"""A value or an awaitable of it. GraphQL completes a value without a task."""


class LoadOnce(Generic[K, V]):
    """Loads each key once; all callers, even during the load, get the same result or error."""

    __slots__ = ("_results",)

    def __init__(self) -> None:
        # The dict is created on the first load, because each subscription keeps a context.
        self._results: dict[K, asyncio.Future[V]] | None = None

    async def get(self, key: K, load: Load[V]) -> V:
        result = self._result(key)
        if result is None:
            result = self._new_result(key)
            await _fill(result, load)
        return await result

    def get_now_or_later(self, key: K, load: Load[V], show: Callable[[V], Shown]) -> NowOrLater[Shown]:
        """Return `show(value)` if the value is loaded, and otherwise an awaitable of it."""
        result = self._result(key)
        if result is not None and result.done():
            return show(result.result())
        return self._show_later(key, load, show)

    def is_loaded(self, key: K) -> bool:
        result = self._result(key)
        return result is not None and result.done()

    def put(self, key: K, value: V) -> None:
        """Store a value that was read elsewhere."""
        self._new_result(key).set_result(value)

    async def load_all(self, loads: Mapping[K, Load[V]]) -> None:
        """Load these keys in one iteration of the event loop, so that they share a round trip.

        Raises nothing; an error is raised when its key is read.
        """
        missing = {key: load for key, load in loads.items() if self._result(key) is None}
        await asyncio.gather(*[_fill(self._new_result(key), load) for key, load in missing.items()])
        # Other callers may already be loading some of the keys.
        await asyncio.gather(*[self._settled(key) for key in loads if key not in missing])

    async def _settled(self, key: K) -> None:
        result = self._result(key)
        if result is not None and not result.done():
            await asyncio.wait([result])

    def clear(self) -> None:
        self._results = None

    def _result(self, key: K) -> asyncio.Future[V] | None:
        return None if self._results is None else self._results.get(key)

    def _new_result(self, key: K) -> asyncio.Future[V]:
        if self._results is None:
            self._results = {}
        result = self._results[key] = asyncio.get_running_loop().create_future()
        return result

    async def _show_later(self, key: K, load: Load[V], show: Callable[[V], Shown]) -> Shown:
        return show(await self.get(key, load))


async def _fill(result: asyncio.Future[V], load: Load[V]) -> None:
    try:
        result.set_result(await load())
    except asyncio.CancelledError:
        result.cancel()
        raise
    except Exception as error:
        result.set_exception(error)
        # The exception is retrieved, because a key that was loaded with others may never be read.
        result.exception()
