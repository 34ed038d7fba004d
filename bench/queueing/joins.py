"""Measures how many joins per second a server handles, and their latency at full and half load."""

from collections.abc import Iterator, Sequence

from bench.clients.catalog import SaleConcert
from bench.metrics import Metric, NotMeasured, p99
from bench.queueing.environment import BenchServer
from bench.queueing.load import make_request, open_connections, run_closed_loop, run_open_loop
from bench.queueing.users import User
from domain.queues import RoomSettings

JOIN = """mutation ($input: JoinQueueInput!) {
  joinQueue(input: $input) {
    __typename
    ... on JoinQueueSuccess { entry { number state position } }
    ... on DomainError { code message }
  }
}"""
SUCCESS = '"JoinQueueSuccess"'


def make_join_requests(server: BenchServer, concert: SaleConcert, people: Sequence[User]) -> Iterator[bytes]:
    return iter([make_request(server.app.port, JOIN, {"concertId": concert.id}, user.token) for user in people])


async def join_all(server: BenchServer, concert: SaleConcert, people: Sequence[User], *, at_once: int) -> None:
    async with open_connections(server.app.port, at_once, SUCCESS) as opened:
        await run_closed_loop(opened, make_join_requests(server, concert, people))


async def measure(
    server: BenchServer,
    room: RoomSettings,
    people: Sequence[User],
    *,
    at_once: int,
    seconds: float,
    at_least: int = 100,
) -> list[Metric]:
    """Measure joins under full load, and then half as many joins at half the rate.

    The first part lasts at least `seconds` and includes at least `at_least` joins.
    """
    concert = await server.open_concert(room)
    requests = make_join_requests(server, concert, people)
    async with open_connections(server.app.port, at_once, SUCCESS) as opened:
        await run_closed_loop(opened, requests, seconds=min(1.0, seconds / 2), at_least=at_once)
        began_s = server.cpu_s()
        full = await run_closed_loop(opened, requests, seconds=seconds, at_least=at_least)
        cpu_s = server.cpu_s() - began_s
        if full.lasted_s < seconds:
            raise NotMeasured("everyone joined before the end: the server is too fast for so few people")
        half = await run_open_loop(opened, requests, per_s=full.per_s / 2, count=len(full.took_ms) // 2)
    how = f"POST /graphql, each by a new person with their own token, {at_once} connections"
    return [
        Metric("joins_per_s", round(full.per_s), how, len(full.took_ms)),
        Metric(
            "join_cpu_ms",
            round(cpu_s * 1000 / len(full.took_ms), 2),
            "server CPU per join",
            len(full.took_ms),
        ),
        p99("join_p99_ms", full.took_ms, "latency of the same joins, with every connection always busy"),
        p99(
            "join_half_load_p99_ms",
            half.took_ms,
            f"the same at {half.per_s:,.0f} per second, measured from when each was due",
        ),
    ]
