"""Reads of one request: each key is read once, and the keys of one page are read together."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeAlias, TypeVar

K = TypeVar("K")
V = TypeVar("V")
Shown = TypeVar("Shown")

Load: TypeAlias = Callable[[], Awaitable[V]]
NowOrLater: TypeAlias = V | Awaitable[V]
"""A value, or an awaitable of it. GraphQL completes a value at once and needs no task for it."""


class LoadOnce(Generic[K, V]):
    """Loads each key once: later callers, also during the load, get the same result or error.

    Keys that were expected are loaded with the first of them, in one iteration of the event loop,
    so that their calls share one round trip.
    """

    __slots__ = ("_expected", "_is_wanted", "_results")

    def __init__(self) -> None:
        # No dict until something is loaded: each subscription keeps a context.
        self._results: dict[K, asyncio.Future[V]] | None = None
        self._expected: Mapping[K, Load[V]] | None = None
        self._is_wanted = False

    async def get(self, key: K, load: Load[V]) -> V:
        result = self._result(key)
        if result is None:
            await self._load({key: load, **self._take_expected(key)})
            result = self._result(key)
            assert result is not None
        return await result

    def get_now_or_later(self, key: K, load: Load[V], show: Callable[[V], Shown]) -> NowOrLater[Shown]:
        """Return what `show` makes of the value: at once if it is loaded, else an awaitable."""
        result = self._result(key)
        if result is not None and result.done():
            return show(result.result())
        self._is_wanted = True
        return self._show_later(key, load, show)

    def put(self, key: K, value: V) -> None:
        """Keep a value that was read in another way."""
        result = self._new_result(key)
        result.set_result(value)

    def expect(self, loads: Mapping[K, Load[V]]) -> None:
        """Load these keys together, as soon as one of them is read."""
        self._expected = {**(self._expected or {}), **loads}

    async def load_wanted(self) -> None:
        """Load the expected keys now if the value of any key is awaited."""
        if self._is_wanted and self._expected:
            await self._load(self._take_expected())

    def clear(self) -> None:
        self._results, self._expected, self._is_wanted = None, None, False

    def _result(self, key: K) -> asyncio.Future[V] | None:
        return None if self._results is None else self._results.get(key)

    def _new_result(self, key: K) -> asyncio.Future[V]:
        if self._results is None:
            self._results = {}
        result = self._results[key] = asyncio.get_running_loop().create_future()
        return result

    def _take_expected(self, key: K | None = None) -> Mapping[K, Load[V]]:
        """Return and forget the expected loads, if the key is one of them, without those begun."""
        expected = self._expected
        if not expected or (key is not None and key not in expected):
            return {}
        self._expected = None
        return {one: load for one, load in expected.items() if self._result(one) is None}

    async def _load(self, loads: Mapping[K, Load[V]]) -> None:
        fills = [_fill(self._new_result(key), load) for key, load in loads.items()]
        if len(fills) == 1:
            await fills[0]
        else:
            await asyncio.gather(*fills)

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
        # An expected key may never be read, and its error is then no one's.
        result.exception()
