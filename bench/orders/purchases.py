"""Buyers who each buy a ticket, pay for it at the sandbox, and wait until their order is PAID.

An order counts as PAID when a majority read shows it. Every 20 ms, one such read covers all buyers.
A subscription for each order would be closer to a real buyer, but would measure pushes.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

import orjson
from pymongo.read_concern import ReadConcern

from bench.metrics import NotMeasured
from bench.orders.environment import OrderBench, orders_of
from bench.queueing.load import Connection, Timed, make_request, open_connections
from bench.queueing.users import User
from schema.ids import decode
from settings.payment import SANDBOX_PUBLISHABLE_KEY

LOOK_EVERY_S = 0.02
PAID = ("PAID", "FULFILLED")
FULFILLED = ("FULFILLED",)
PAID_WITHIN_S = 60.0
MAX_CONNECTIONS = 64
"""The number of connections to each server. A buyer needs one only while a request is answered."""

PURCHASE = """mutation ($input: PurchaseTicketsInput!) {
  purchaseTickets(input: $input) {
    __typename
    ... on PurchaseTicketsSuccess { order { id status payment { intentId clientSecret } } }
    ... on DomainError { code message }
  }
}"""


@dataclass(frozen=True, slots=True)
class Purchased:
    order_id: str
    intent_id: str
    client_secret: str


class ConnectionPool:
    """A pool of connections, each used for one request at a time."""

    def __init__(self, connections: Sequence[Connection]) -> None:
        self._free: asyncio.Queue[Connection] = asyncio.Queue()
        for connection in connections:
            self._free.put_nowait(connection)

    async def send(self, request: bytes) -> bytes:
        connection = await self._free.get()
        try:
            return await connection.send(request)
        finally:
            self._free.put_nowait(connection)


class OrderWatch:
    """Tells each waiting buyer when their order has one of these statuses."""

    def __init__(self, bench: OrderBench, statuses: Sequence[str]) -> None:
        self._statuses = statuses
        self._orders = orders_of(bench).with_options(read_concern=ReadConcern("majority"))
        self._waiting: dict[str, asyncio.Future[None]] = {}

    async def wait(self, order_id: str) -> None:
        self._waiting[order_id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(PAID_WITHIN_S):
                await self._waiting[order_id]
        except TimeoutError:
            raise NotMeasured(f"order {order_id} was not {self._statuses[0]} within {PAID_WITHIN_S:.0f} s") from None
        finally:
            self._waiting.pop(order_id, None)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._waiting:
                query = {"_id": {"$in": list(self._waiting)}, "status": {"$in": list(self._statuses)}}
                for document in await self._orders.find(query, {"_id": 1}).to_list(None):
                    waiting = self._waiting.get(document["_id"])
                    if waiting is not None and not waiting.done():
                        waiting.set_result(None)


@dataclass(slots=True)
class Buyers:
    """Sends the requests of all buyers. Each call of `buy` is made for the next person."""

    bench: OrderBench
    people: Iterator[User]
    app: ConnectionPool
    sandbox: ConnectionPool
    paid: OrderWatch
    fulfilled: OrderWatch
    answered_ms: list[float] = field(default_factory=list)
    """How long each `purchaseTickets` took until it was answered."""
    _tiers: Iterator[str] = field(init=False)

    def __post_init__(self) -> None:
        self._tiers = itertools.cycle(self.bench.concert.tier_ids)

    async def purchase(self) -> Purchased:
        user = next(self.people, None)
        if user is None:
            raise NotMeasured("everyone bought before the end: there are too few people")
        input_ = {
            "concertId": self.bench.concert.id,
            "lines": [{"tierId": next(self._tiers), "quantity": 1}],
            "customerName": "A Buyer",
            "customerEmail": "buyer@example.com",
            "idempotencyKey": user.person_id,
        }
        sent = time.perf_counter()
        body = await self.app.send(make_request(self.bench.app.port, PURCHASE, input_, user.token))
        self.answered_ms.append((time.perf_counter() - sent) * 1000)
        order = orjson.loads(body)["data"]["purchaseTickets"]["order"]
        if order["payment"] is None:
            raise NotMeasured("the sandbox did not create an intent in time")
        return Purchased(decode(order["id"]).parts[0], order["payment"]["intentId"], order["payment"]["clientSecret"])

    async def confirm(self, order: Purchased) -> None:
        await self.sandbox.send(
            make_form_request(
                self.bench.sandbox.port,
                f"/v1/payment_intents/{order.intent_id}/confirm",
                {"payment_method": "pm_card_visa", "client_secret": order.client_secret},
                SANDBOX_PUBLISHABLE_KEY,
            )
        )

    async def buy(self, *, until: OrderWatch | None = None) -> None:
        """Buy a ticket, pay for it, and wait until the order is PAID, or until another watch
        ends.
        """
        order = await self.purchase()
        await self.confirm(order)
        await (until or self.paid).wait(order.order_id)


@asynccontextmanager
async def open_buyers(bench: OrderBench, people: Iterator[User], *, at_once: int) -> AsyncIterator[Buyers]:
    count = min(at_once, MAX_CONNECTIONS)
    paid, fulfilled = OrderWatch(bench, PAID), OrderWatch(bench, FULFILLED)
    async with (
        open_connections(bench.app.port, count, '"PurchaseTicketsSuccess"') as app,
        open_connections(bench.sandbox.port, count, '"succeeded"') as sandbox,
    ):
        looking = [asyncio.create_task(watch.run()) for watch in (paid, fulfilled)]
        try:
            yield Buyers(bench, people, ConnectionPool(app), ConnectionPool(sandbox), paid, fulfilled)
        finally:
            for task in looking:
                task.cancel()
            await asyncio.gather(*looking, return_exceptions=True)


async def buy_in_closed_loop(buyers: Buyers, *, at_once: int, seconds: float, at_least: int) -> Timed:
    """Keep `at_once` buyers busy: as soon as one buyer's order is PAID, another buyer begins.

    The loop ends when the time is up and at least `at_least` orders have been started. Started
    orders are completed, and their time counts.
    """
    took_ms, begun, began = list[float](), 0, time.perf_counter()

    async def work() -> None:
        nonlocal begun
        while time.perf_counter() - began < seconds or begun < at_least:
            begun += 1
            sent = time.perf_counter()
            await buyers.buy()
            took_ms.append((time.perf_counter() - sent) * 1000)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(work())
    return Timed(took_ms, time.perf_counter() - began)


async def buy_in_open_loop(buyers: Buyers, *, per_s: float, count: int, until: OrderWatch | None = None) -> Timed:
    """Let buyers begin at a steady rate, and measure from when each was due until the order is
    PAID, or until another watch ends.
    """
    took_ms, began = list[float](), time.perf_counter()

    async def buy(due: float) -> None:
        await buyers.buy(until=until)
        took_ms.append((time.perf_counter() - due) * 1000)

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            due = began + number / per_s
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            group.create_task(buy(due))
    return Timed(took_ms, time.perf_counter() - began)


def make_form_request(port: int, path: str, fields: dict[str, str], key: str) -> bytes:
    body = urlencode(fields).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
