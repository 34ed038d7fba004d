"""Measures the limits of paid orders: parts of an order on their own, with the same processes.

Each part runs in a closed loop. Orders cannot be paid at a higher rate than the slowest part's.
"""

import asyncio
import math
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import orjson
from pymongo import WriteConcern

from bench.clients.servers import DATABASE
from bench.metrics import Metric
from bench.orders.environment import OrderBench, orders_of
from bench.orders.purchases import PAID, ConnectionPool, make_form_request
from bench.queueing.load import open_connections
from domain.ids import ConcertId, OrderId
from domain.money import CurrencyCode, Money
from domain.payments.payment import PaymentAttempt
from payments.provider import OrderReference
from payments.stripe.client import StripeClient
from payments.stripe.provider import StripeProvider
from payments.stripe.signatures import WebhookVerifier
from settings.payment import SANDBOX_PUBLISHABLE_KEY, SANDBOX_SECRET_KEY

TOTAL = Money(6_900, CurrencyCode.EUR)


async def measure(bench: OrderBench, *, at_once: int, seconds: float) -> list[Metric]:
    """Measure each part. The sandbox sends no webhooks in the meantime."""
    await bench.ask_sandbox("POST", "/sandbox/webhooks", paused="true")
    return [
        await _measure_inserts(bench, at_once, seconds),
        await _measure_creates(bench, at_once, seconds),
        await _measure_sandbox(bench, at_once, seconds),
    ]


async def _measure_inserts(bench: OrderBench, at_once: int, seconds: float) -> Metric:
    order = await orders_of(bench).find_one({"status": {"$in": list(PAID)}})
    assert order is not None
    concern = WriteConcern("majority", j=True)
    inserts = bench.mongo[DATABASE].get_collection("bench_inserts", write_concern=concern)

    async def insert() -> None:
        await inserts.insert_one({**order, "_id": uuid.uuid4().hex})

    count, per_s = await _repeat(insert, at_once, seconds)
    what = f"a single majority insert of a paid order, {at_once} at once, not grouped"
    return Metric("majority_inserts_per_s", per_s, what, count)


async def _measure_creates(bench: OrderBench, at_once: int, seconds: float) -> Metric:
    client = StripeClient(SANDBOX_SECRET_KEY, url=bench.sandbox.url, timeout_s=60)
    provider = StripeProvider(client, WebhookVerifier(()), name="sandbox")

    async def create() -> None:
        reference = OrderReference(OrderId(uuid.uuid4().hex), ConcertId("bench"), "bench")
        await provider.create_intent(reference, PaymentAttempt(1, datetime.now(UTC)), TOTAL)

    try:
        count, per_s = await _repeat(create, at_once, seconds)
    finally:
        await provider.aclose()
    what = f"the official library creates an intent at the sandbox, {at_once} at once"
    return Metric("library_creates_per_s", per_s, what, count)


async def _measure_sandbox(bench: OrderBench, at_once: int, seconds: float) -> Metric:
    port = bench.sandbox.port
    async with open_connections(port, at_once, '"client_secret"') as opened:
        pool = ConnectionPool(opened)

        async def pay() -> None:
            fields = {"amount": "6900", "currency": "eur", "payment_method_types[0]": "card"}
            created = await pool.send(make_form_request(port, "/v1/payment_intents", fields, SANDBOX_SECRET_KEY))
            intent = orjson.loads(created)
            card = {"payment_method": "pm_card_visa", "client_secret": intent["client_secret"]}
            path = f"/v1/payment_intents/{intent['id']}/confirm"
            await pool.send(make_form_request(port, path, card, SANDBOX_PUBLISHABLE_KEY))

        count, per_s = await _repeat(pay, at_once, seconds)
    return Metric("sandbox_payments_per_s", per_s, f"the sandbox alone: create and confirm, {at_once} at once", count)


async def _repeat(call: Callable[[], Awaitable[None]], at_once: int, seconds: float) -> tuple[int, float]:
    """Repeat the call in a closed loop, and return the number of calls, in total and per second."""
    count, began = 0, time.perf_counter()

    async def work() -> None:
        nonlocal count
        while time.perf_counter() - began < seconds:
            await call()
            count += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(work())
    return count, math.floor(count / (time.perf_counter() - began))
