"""Memoizes the reads of one request: each key is read once, and the keys of one page are read
together.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeAlias, TypeVar

K = TypeVar("K")
V = TypeVar("V")
Shown = TypeVar("Shown")

Load: TypeAlias = Callable[[], Awaitable[V]]
NowOrLater: TypeAlias = V | Awaitable[V]
"""A value, or an awaitable that returns it. GraphQL completes a plain value without a task."""


class LoadOnce(Generic[K, V]):
    """Loads each key once; all callers, even during the load, get the same result or error."""

    __slots__ = ("_results", "_waiting")

    def __init__(self) -> None:
        # The dicts are created on first use, because each subscription keeps a context.
        self._results: dict[K, asyncio.Future[V]] | None = None
        self._waiting: dict[K, list[asyncio.Future[None]]] | None = None

    async def get(self, key: K, load: Load[V]) -> V:
        """Return the value. If the caller that loads it is canceled, another caller loads it."""
        while True:
            result = self._result(key)
            if result is None:
                await self._fill(key, load)
            elif result.done():
                return result.result()
            else:
                await self._settled(key)

    def get_now_or_later(self, key: K, load: Load[V], show: Callable[[V], Shown]) -> NowOrLater[Shown]:
        """Return `show(value)` if the value is loaded, or an awaitable that returns it later."""
        result = self._result(key)
        if result is not None and result.done():
            return show(result.result())
        return self._show_later(key, load, show)

    def is_loaded(self, key: K) -> bool:
        result = self._result(key)
        return result is not None and result.done()

    def get_if_loaded(self, key: K) -> V | None:
        """Return the value, or None if it has not been loaded or cannot be."""
        result = self._result(key)
        is_known = result is not None and result.done() and not result.cancelled() and result.exception() is None
        return result.result() if result is not None and is_known else None

    def put(self, key: K, value: V) -> None:
        """Store a value that was read elsewhere."""
        self._new_result(key).set_result(value)

    async def load_all(self, loads: Mapping[K, Load[V]]) -> None:
        """Load these keys in one iteration of the event loop, so that they share a round trip.

        Raises nothing; an error is raised when its key is read.
        """
        missing = {key: load for key, load in loads.items() if self._result(key) is None}
        await asyncio.gather(*[self._fill(key, load) for key, load in missing.items()])
        # Other callers may already be loading some of these keys.
        await asyncio.gather(*[self._settled(key) for key in loads])

    async def _settled(self, key: K) -> None:
        """Wait until the load in progress has ended.

        Each caller waits for its own future, so canceling one caller does not affect the others.
        """
        result = self._result(key)
        if result is not None and not result.done():
            if self._waiting is None:
                self._waiting = {}
            ended = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(key, []).append(ended)
            await ended

    def clear(self) -> None:
        self._results = None

    def _result(self, key: K) -> asyncio.Future[V] | None:
        return None if self._results is None else self._results.get(key)

    def _new_result(self, key: K) -> asyncio.Future[V]:
        if self._results is None:
            self._results = {}
        result = self._results[key] = asyncio.get_running_loop().create_future()
        return result

    async def _fill(self, key: K, load: Load[V]) -> None:
        """Load the value and keep it, or its error, unless another caller has already begun."""
        if self._result(key) is not None:
            return
        result = self._new_result(key)
        try:
            result.set_result(await load())
        except asyncio.CancelledError:
            if self._results is not None and self._results.get(key) is result:
                del self._results[key]
            result.cancel()
            raise
        except Exception as error:
            result.set_exception(error)
            # Mark the error as retrieved: a key loaded along with others may never be read, and
            # asyncio would log the error.
            result.exception()
        finally:
            for ended in (self._waiting or {}).pop(key, ()):
                if not ended.done():
                    ended.set_result(None)

    async def _show_later(self, key: K, load: Load[V], show: Callable[[V], Shown]) -> Shown:
        return show(await self.get(key, load))
