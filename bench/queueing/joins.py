"""Joins per second of a server process, and the latency of one join, alone and under load."""

from collections.abc import Iterator, Sequence

from bench.queueing.environment import BenchServer
from bench.queueing.load import closed, connections, request, steady
from bench.queueing.metrics import Metric, NotMeasured, p99
from bench.queueing.users import User
from bench.sale.catalog import SaleConcert
from domain.queues import RoomSettings

JOIN = """mutation ($input: JoinQueueInput!) {
  joinQueue(input: $input) {
    __typename
    ... on JoinQueueSuccess { entry { number state position } }
    ... on DomainError { code message }
  }
}"""
SUCCESS = '"JoinQueueSuccess"'


def join_requests(site: BenchServer, concert: SaleConcert, people: Sequence[User]) -> Iterator[bytes]:
    return iter([request(site.app.port, JOIN, {"concertId": concert.id}, visitor.token) for visitor in people])


async def join_all(site: BenchServer, concert: SaleConcert, people: Sequence[User], *, at_once: int) -> None:
    async with connections(site.app.port, at_once, SUCCESS) as opened:
        await closed(opened, join_requests(site, concert, people))


async def measure(
    site: BenchServer, room: RoomSettings, people: Sequence[User], *, at_once: int, seconds: float
) -> list[Metric]:
    concert = await site.concert(room)
    requests = join_requests(site, concert, people)
    async with connections(site.app.port, at_once, SUCCESS) as opened:
        await closed(opened, requests, seconds=min(1.0, seconds / 2))
        began_s = site.cpu_s()
        full = await closed(opened, requests, seconds=seconds)
        cpu_s = site.cpu_s() - began_s
        if full.lasted_s < seconds:
            raise NotMeasured("there are too few people for so fast a server")
        half = await steady(opened, requests, per_s=full.per_s / 2, seconds=seconds)
    how = f"POST /graphql, everybody new with a token of their own, {at_once} connections"
    return [
        Metric("joins_per_s", round(full.per_s), how, len(full.took_ms)),
        Metric(
            "join_cpu_ms", round(cpu_s * 1000 / len(full.took_ms), 2), "of the server's CPU, each", len(full.took_ms)
        ),
        p99("join_p99_ms", full.took_ms, "the same, each connection always busy"),
        p99("join_half_load_p99_ms", half.took_ms, f"the same at {half.per_s:,.0f} a second, from when each was due"),
    ]
