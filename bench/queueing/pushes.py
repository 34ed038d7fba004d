"""Positions per second that a process pushes if everyone sees every change,
and the machine's limit.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.queueing.background import owned
from bench.queueing.environment import ROOM, BenchServer
from bench.queueing.joins import join_all
from bench.queueing.metrics import Metric, NotMeasured
from bench.queueing.socket_clients import bare_server, open_socket_clients
from bench.queueing.users import User
from bench.sale.ledger import Ledger
from bench.sale.observations import Observations
from bench.sale.queue_client import QueueClient

EVERYBODY_AT_ONCE = {"PUSH_INTERVALS": "rest:0", "PUSH_TICK_MS": "10"}
"""Not a server's default settings:
no position may be delayed, and the server refreshes as often as it can.
"""
LEAVE_EVERY_S = 0.02
"""After each departure, everyone behind moves up."""
WARM_UP_S = 1.0


def leaving(seconds: float) -> int:
    """Return how many people must leave besides the subscribers."""
    return int((seconds + 2 * WARM_UP_S) / LEAVE_EVERY_S) + 2


async def measure(
    site: BenchServer, people: Sequence[User], directory: Path, *, sockets: int, seconds: float
) -> list[Metric]:
    watching, in_front = people[:sockets], people[sockets : sockets + leaving(seconds)]
    concert = await site.concert(replace(ROOM, total_active_users=1))
    await join_all(site, concert, in_front, at_once=64)
    await join_all(site, concert, watching, at_once=64)
    line = QueueClient(site.client, Ledger(), concert, urls=[site.app.url], observations=Observations())
    async with (
        open_socket_clients(watching, port=site.app.port, concert=concert.id, directory=directory) as crowd,
        owned(_leave(line, in_front[1:])),
    ):
        await asyncio.sleep(WARM_UP_S)
        began_s = site.cpu_s()
        before, after = await crowd.over(seconds)
        cpu_s = site.cpu_s() - began_s
    size = after.frame_bytes(before)
    limit = await _limit(watching, directory, size, seconds)
    pushed, per_s = after.frames - before.frames, after.frames_per_s(before)
    how = f"frames of {size} bytes to {sockets:,} sockets, all moving all the time"
    return [
        Metric("positions_per_s", round(per_s), how, pushed),
        Metric("position_cpu_us", round(cpu_s * 1_000_000 / pushed), "of the server's CPU, each", pushed),
        limit,
        Metric("positions_of_limit", round(per_s / limit.value, 3), "the one in parts of the other", pushed),
    ]


async def _leave(line: QueueClient, people: Sequence[User]) -> None:
    for visitor in people:
        await line.leave(token=visitor.token)
        await asyncio.sleep(LEAVE_EVERY_S)
    raise NotMeasured("everybody in front had left before the end")


async def _limit(people: Sequence[User], directory: Path, size: int, seconds: float) -> Metric:
    async with (
        bare_server(len(people), size) as port,
        open_socket_clients(people, port=port, concert="nothing", directory=directory) as crowd,
    ):
        await asyncio.sleep(WARM_UP_S)
        before, after = await crowd.over(seconds)
    what = "the same frame to the same sockets by a server that does no work"
    return Metric("positions_limit_per_s", round(after.frames_per_s(before)), what, after.frames - before.frames)
