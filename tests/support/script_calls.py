"""Records or repeats script calls."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from storage.connect import Stores
from storage.hot.script_client import ScriptClient
from storage.scripts import Script

_send = ScriptClient.send


@dataclass
class ScriptCalls:
    """The names of the called scripts, grouped by round trip and sorted within each.

    Calls made in the same turn of the event loop share a round trip.
    """

    round_trips: list[list[str]] = field(default_factory=list)
    _is_turn_over: bool = True

    def add(self, script: Script) -> None:
        if self._is_turn_over:
            self.round_trips.append([])
            self._is_turn_over = False
            asyncio.get_running_loop().call_soon(self._end_turn)
        self.round_trips[-1].append(script.name)
        self.round_trips[-1].sort()

    def count(self, name: str) -> int:
        return sum(names.count(name) for names in self.round_trips)

    @property
    def names(self) -> set[str]:
        return {name for names in self.round_trips for name in names}

    def _end_turn(self) -> None:
        self._is_turn_over = True


@contextmanager
def recorded_calls(stores: Stores) -> Iterator[ScriptCalls]:
    """Record the calls made through these stores within the block."""
    calls = ScriptCalls()

    def record(client: ScriptClient, script: Script, *args: Any, **options: Any) -> "asyncio.Future[list[Any]]":
        if client is stores.script_client:
            calls.add(script)
        return _send(client, script, *args, **options)

    with mock.patch.object(ScriptClient, "send", record):
        yield calls


@contextmanager
def repeated_calls(stores: Stores) -> Iterator[None]:
    """Within the block, make each script call twice and return the second reply."""
    send_for = stores.script_client.send_for

    def send_twice(*args: Any, **options: Any) -> "asyncio.Future[list[Any]]":
        async def run() -> list[Any]:
            await send_for(*args, **options)
            return await send_for(*args, **options)

        return asyncio.ensure_future(run())

    with mock.patch.object(stores.script_client, "send_for", send_twice):
        yield
