"""When a process stops, it closes each socket after a different delay."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from subscriptions.sockets import ws_protocol
from subscriptions.sockets.limits import Limits
from tests.support.sockets import FakeSubscription, shown, sockets
from tests.support.waiting import wait_until


@dataclass
class Delays:
    """Replaces the module `random`; no number is drawn twice."""

    intervals: list[tuple[float, float]] = field(default_factory=list)
    drawn: list[float] = field(default_factory=list)

    def uniform(self, low: float, high: float) -> float:
        self.intervals.append((low, high))
        self.drawn.append(low + (high - low) * len(self.intervals) / 37)
        return self.drawn[-1]


@dataclass
class Scheduled:
    """Keeps the callbacks that were scheduled with one of the drawn delays."""

    delays: Delays
    callbacks: dict[float, Callable[[], object]] = field(default_factory=dict)

    def replace_call_later(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        call_later = loop.call_later

        def keep_or_call_later(delay: float, callback: Any, *args: Any, **options: Any) -> asyncio.TimerHandle:
            if delay not in self.delays.drawn:
                return call_later(delay, callback, *args, **options)
            self.callbacks[delay] = callback
            return call_later(0, lambda: None)

        monkeypatch.setattr(loop, "call_later", keep_or_call_later)


async def test_restart_closes_each_socket_after_a_different_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    delays = Delays()
    scheduled = Scheduled(delays)
    monkeypatch.setattr(ws_protocol, "random", delays)
    scheduled.replace_call_later(monkeypatch)
    async with AsyncExitStack() as clients:
        async with sockets() as server:
            signed_in = [await clients.enter_async_context(server.signed_in()) for _ in range(20)]
            silent = await clients.enter_async_context(server.client())
            for client in signed_in:
                await client.subscribe("s")
            for fake in await server.runner.wait_for_subscriptions(20):
                fake.show(1)
            assert [await client.receive() for client in signed_in] == [shown("s", 1)] * 20
            ends = [asyncio.create_task(client.closed()) for client in [*signed_in, silent]]
            restart = asyncio.create_task(_call_one_by_one(scheduled, ends))
        await restart
        assert set(await asyncio.gather(*ends)) == {(1012, "This server is restarting; reconnect")}
        assert delays.intervals == [(0, ws_protocol.RESTART_SPREAD_S)] * 21
        assert (server.runner.open, server.capacity.total) == ([], 0)


async def _call_one_by_one(scheduled: Scheduled, ends: Sequence[asyncio.Task[tuple[int, str]]]) -> None:
    """Check that each callback closes one socket."""
    await wait_until(lambda: len(scheduled.callbacks) == len(ends), what="a delay for each socket")
    for count, delay in enumerate(sorted(scheduled.callbacks), start=1):
        scheduled.callbacks[delay]()
        await wait_until(partial(_are_closed, ends, count), what="a socket to close")
        assert sum(end.done() for end in ends) == count


def _are_closed(ends: Sequence[asyncio.Task[tuple[int, str]]], count: int) -> bool:
    return sum(end.done() for end in ends) >= count


@pytest.mark.parametrize("ending", ["restart", "too large"])
async def test_data_for_a_closing_socket_causes_no_warning(caplog: pytest.LogCaptureFixture, ending: str) -> None:
    async with AsyncExitStack() as clients:
        async with sockets() as server:
            client = await clients.enter_async_context(server.signed_in())
            await client.subscribe("s")
            [fake] = await server.runner.wait_for_subscriptions(1)
            showing = asyncio.create_task(_show_until_closed(fake))
            if ending == "too large":
                await client.send("x" * 100_000)
            end = asyncio.create_task(client.closed())
        assert (await end)[0] == (1012 if ending == "restart" else 4400)
        await showing
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_restart_does_not_wait_for_a_client_that_reads_nothing() -> None:
    async with asyncio.timeout(60), AsyncExitStack() as clients:
        async with sockets(Limits(drain_wait_s=3_600)) as server:
            client = await clients.enter_async_context(server.signed_in(max_queue=1, max_size=None))
            await client.subscribe("s")
            [fake] = await server.runner.wait_for_subscriptions(1)
            for number in range(50):
                fake.show([number, "x" * 1_000_000])
                await asyncio.sleep(0)
        assert server.capacity.total == 0
        client.connection.transport.abort()


async def _show_until_closed(fake: FakeSubscription) -> None:
    number = 0
    while not fake.is_closed:
        number += 1
        fake.show(number)
        await asyncio.sleep(0)
