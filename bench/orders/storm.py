"""Measures the webhook route under a flood of events.

Buyers pay for their orders while the sandbox holds back its webhooks. Its events are then sent at a
steady rate, signed one by one, and the workers of the same process apply them to the orders.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from bench.metrics import NotMeasured
from bench.orders.environment import OrderBench, orders_of
from bench.orders.purchases import Buyers
from bench.queueing.load import Timed, open_connections, run_open_loop
from payments.sandbox.webhooks.signing import sign
from payments.stripe.signatures import SIGNATURE_HEADER
from settings.payment import SANDBOX_WEBHOOK_SECRET
from web.payment_webhooks import PATH

CONNECTIONS = 64
PAGE = 100
APPLIED_WITHIN_S = 60.0

Event = dict[str, Any]


async def pay_without_webhooks(bench: OrderBench, buyers: Buyers, *, count: int, at_once: int) -> list[Event]:
    """Pay for `count` orders, and return the events that the application has not received."""
    await bench.ask_sandbox("POST", "/sandbox/webhooks", paused="true")
    left = iter(range(count))

    async def work() -> None:
        while next(left, None) is not None:
            await buyers.confirm(await buyers.purchase())

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(work())
    events = await _read_events(bench, count)
    await bench.ask_sandbox("DELETE", "/sandbox/deliveries")
    await bench.ask_sandbox("POST", "/sandbox/webhooks", paused="false")
    return events


async def _read_events(bench: OrderBench, count: int) -> list[Event]:
    """Return the newest `count` events about payments, oldest first."""
    found: list[Event] = []
    while len(found) < count:
        position = {"starting_after": found[-1]["id"]} if found else {}
        page = await bench.ask_sandbox(
            "GET", "/v1/events", type="payment_intent.succeeded", limit=str(PAGE), **position
        )
        found += page["data"]
    return found[:count][::-1]


async def send_storm(bench: OrderBench, events: Sequence[Event], *, per_s: float) -> Timed:
    """Send the events, each when it is due, and wait until their orders are PAID."""
    async with open_connections(bench.app.port, min(CONNECTIONS, len(events)), '"recorded"') as opened:
        timed = await run_open_loop(opened, _requests(bench.app.port, events), per_s=per_s, count=len(events))
    await _wait_until_paid(bench)
    return timed


def _requests(port: int, events: Sequence[Event]) -> Iterator[bytes]:
    """Yield the requests. Each is signed when it is due, so that the load client signs as evenly as
    a provider does.
    """
    for event in events:
        body = orjson.dumps(event, option=orjson.OPT_INDENT_2)
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json; charset=utf-8\r\n"
            f"{SIGNATURE_HEADER}: {sign(body, SANDBOX_WEBHOOK_SECRET, int(time.time()))}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        yield head.encode() + body


async def _wait_until_paid(bench: OrderBench) -> None:
    deadline = time.monotonic() + APPLIED_WITHIN_S
    while unpaid := await orders_of(bench).count_documents({"status": "PENDING_PAYMENT"}):
        if time.monotonic() > deadline:
            raise NotMeasured(f"{unpaid} orders were not PAID within {APPLIED_WITHIN_S:.0f} s of the flood")
        await asyncio.sleep(0.1)
