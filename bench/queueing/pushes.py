"""Measures how many positions per second a process can push if everyone receives every change.

It also measures how many frames per second this machine can send at all.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.clients.background import run_in_background
from bench.clients.ledger import Ledger
from bench.clients.observations import Observations
from bench.clients.queue_client import QueueClient
from bench.metrics import Metric, NotMeasured
from bench.queueing.environment import POSITION_CHANGED, ROOM, BenchServer
from bench.queueing.frame_server import run_frame_server
from bench.queueing.joins import join_all
from bench.queueing.users import User, credentials_of
from bench.subscribers import open_subscribers

PUSH_EVERY_CHANGE = {"PUSH_INTERVALS": "rest:0", "PUSH_TICK_MS": "10"}
"""Settings under which no position is delayed and the server refreshes as often as it can.

The defaults are different.
"""
LEAVE_EVERY_S = 0.02
"""How often a person leaves; each departure changes the position of everyone behind that person."""
WARM_UP_S = 1.0


def count_leavers(seconds: float) -> int:
    """Return how many people in front of the subscribers are needed so that people keep leaving."""
    return int((seconds + 2 * WARM_UP_S) / LEAVE_EVERY_S) + 2


async def measure(
    server: BenchServer,
    people: Sequence[User],
    directory: Path,
    *,
    sockets: int,
    seconds: float,
    document: str,
) -> list[Metric]:
    subscribed, in_front = people[:sockets], people[sockets : sockets + count_leavers(seconds)]
    concert = await server.open_concert(replace(ROOM, total_active_users=1))
    await join_all(server, concert, in_front, at_once=64)
    await join_all(server, concert, subscribed, at_once=64)
    queue = QueueClient(server.client, Ledger(), concert, urls=[server.app.url], observations=Observations())
    async with (
        open_subscribers(
            credentials_of(subscribed),
            port=server.app.port,
            document=document,
            concert_id=concert.id,
            directory=directory,
        ) as subscribers,
        run_in_background(_leave(queue, in_front[1:])),
    ):
        await asyncio.sleep(WARM_UP_S)
        began_s = server.cpu_s()
        before, after = await subscribers.count_for(seconds)
        cpu_s = server.cpu_s() - began_s
    size = after.frame_bytes(before)
    limit = await _limit(subscribed, directory, size, seconds)
    pushed, per_s = after.frames - before.frames, after.frames_per_s(before)
    how = f"frames of {size} bytes to {sockets:,} sockets, with every position changing constantly"
    return [
        Metric("positions_per_s", round(per_s), how, pushed),
        Metric("position_cpu_us", round(cpu_s * 1_000_000 / pushed), "server CPU per position", pushed),
        limit,
        Metric(
            "positions_of_limit",
            round(per_s / limit.value, 3),
            "positions_per_s / positions_limit_per_s",
            pushed,
        ),
    ]


async def _leave(queue: QueueClient, people: Sequence[User]) -> None:
    for user in people:
        await queue.leave(token=user.token)
        await asyncio.sleep(LEAVE_EVERY_S)
    raise NotMeasured("everyone in front left before the end")


async def _limit(people: Sequence[User], directory: Path, size: int, seconds: float) -> Metric:
    async with (
        run_frame_server(len(people), size) as port,
        open_subscribers(
            credentials_of(people), port=port, document=POSITION_CHANGED, concert_id="", directory=directory
        ) as subscribers,
    ):
        await asyncio.sleep(WARM_UP_S)
        before, after = await subscribers.count_for(seconds)
    what = "the same frames to as many sockets, from a server that does nothing else"
    return Metric("positions_limit_per_s", round(after.frames_per_s(before)), what, after.frames - before.frames)
