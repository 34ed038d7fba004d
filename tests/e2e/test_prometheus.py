"""A real Prometheus scrapes a sale through `ONSALE_METRICS_PORT`, and every metric moves."""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
from pymongo import MongoClient
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from storage.embedded.ports import free_port
from tests.support.application import ROOT, Application, started
from tests.support.prometheus import Prometheus, lint_metrics, needs_prometheus, running_prometheus
from tests.support.slow_readers import small_buffer_socket
from tests.support.sockets import PROTOCOL, Client
from tests.support.waiting import wait_until

CONCERT = "{ concerts(first: 1) { nodes { id } } }"
STOCK = "subscription ($id: ID!) { stockChanged(concertId: $id) { %s } }"
TIERS = "tiers { tierId capacity available held sold price { amount minor currency } }"
BIG_STOCK = STOCK % " ".join(f"t{number}: {TIERS}" for number in range(10))
SUBSCRIPTIONS = 50
MOVES = [
    'onsale_requests_total{operation="other", result="ok"}',
    'onsale_requests_total{result="refused"}',
    "onsale_request_seconds_count",
    "onsale_refusals_total",
    "onsale_sockets",
    "onsale_event_streams",
    'onsale_sockets_ended_total{reason="LEFT"}',
    "onsale_messages_sent_total",
    "onsale_messages_lagged_total",
    "onsale_oldest_unsent_push_seconds",
    "onsale_push_seconds_count",
    'onsale_script_calls_total{script="hold_tickets"}',
    "onsale_pipeline_calls_count",
    "onsale_pipeline_seconds_count",
    'onsale_holds_total{result="HOLD"}',
    'onsale_orders_total{state="PENDING_PAYMENT"}',
    'onsale_orders_total{state="FULFILLED"}',
    'onsale_worker_delay_seconds_count{worker="admission"}',
    'onsale_wait_estimate_error_seconds_bucket{le="+Inf"}',
    "onsale_event_loop_lag_seconds_count",
    "onsale_queue_waiting",
    'onsale_queue_occupancy{cap="slots"}',
    'onsale_queue_occupancy{cap="calls"}',
    'onsale_queue_cap{cap="slots"}',
    'onsale_stuck_orders{reason="refund_pending"}',
    'onsale_payment_inbox{state="quarantined"}',
    "onsale_payment_webhooks_total",
]


@needs_prometheus
async def test_every_metric_moves_in_a_sale_that_prometheus_scrapes(tmp_path: Path) -> None:
    port = free_port()
    application = Application(tmp_path / "onsale", METRICS_PORT=port)
    async with (
        started(application),
        running_prometheus(tmp_path / "prometheus", target=f"127.0.0.1:{port}") as prometheus,
    ):
        async with asyncio.TaskGroup() as group:
            sale = group.create_task(run_sale(application))
            async with lagging_subscribers(application):
                await sale
        await asyncio.to_thread(damage_payments, application.store_url("mongod"))
        for moving in MOVES:
            await wait_until(lambda: has_moved(prometheus, moving), timeout=60, what=f"a movement of {moving}")  # noqa: B023
        overshoot = await prometheus.query("max_over_time(onsale_queue_overshoot[15m])")
        assert {labels["cap"]: value for labels, value in overshoot} == {"slots": 0, "calls": 0}
        assert await prometheus.query("min_over_time(up[15m])") != []
        async with httpx2.AsyncClient() as client:
            exposed = await client.get(f"http://127.0.0.1:{port}/metrics")
        assert lint_metrics(exposed.content) == ""
        assert (await application.get("/metrics")).status_code == 404


async def has_moved(prometheus: Prometheus, series: str) -> bool:
    return await prometheus.is_positive(f"max_over_time({series}[15m])")


async def run_sale(application: Application) -> None:
    """Run a small sale, and check that all of it was right. There are tickets for all, so the queue
    reaches its last person, whose wait is compared with its estimate.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proofs.sale", "--url", application.url, "--kill", "no"),
        *("--buyers", "40", "--stock", "200", "--per-minute", "120", "--active", "5"),
        cwd=ROOT,
        env={**os.environ, "ONSALE_DATA_DIR": str(application.data_dir)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def lagging_subscribers(application: Application) -> AsyncIterator[None]:
    """Subscribe to the stock on an event stream, and with a socket that then reads nothing."""
    found: list[str] = []

    async def find() -> bool:
        found[:] = await find_concerts(application)
        return bool(found)

    await wait_until(find, timeout=300, what="the concert of the sale")
    address = f"127.0.0.1:{application.port}"
    async with small_buffer_socket(address) as small, open_stream(application, found[0]):
        options = {"compression": None, "ping_interval": None, "max_queue": 1}
        async with connect(
            f"ws://{address}/graphql",
            sock=small,
            subprotocols=[Subprotocol(PROTOCOL)],
            **options,  # type: ignore[arg-type]
        ) as connection:
            client = Client(connection)
            await client.sign_in(None)
            for number in range(SUBSCRIPTIONS):
                await client.subscribe(str(number), BIG_STOCK, id=found[0])
            assert (await client.receive())["type"] == "next"
            yield
            # The closing handshake would wait for a client that reads nothing.
            connection.transport.abort()


async def find_concerts(application: Application) -> list[str]:
    async with httpx2.AsyncClient(base_url=application.url) as client:
        answer = await client.post("/graphql", json={"query": CONCERT})
    return [node["id"] for node in answer.json()["data"]["concerts"]["nodes"]]


@asynccontextmanager
async def open_stream(application: Application, concert_id: str) -> AsyncIterator[None]:
    body = {"query": STOCK % "version", "variables": {"id": concert_id}}
    headers = {"Accept": "text/event-stream", "GraphQL-Require-Preflight": "1"}
    async with (
        httpx2.AsyncClient(base_url=application.url, timeout=None) as client,
        client.stream("POST", "/graphql", json=body, headers=headers) as answer,
    ):
        assert answer.status_code == 200
        yield


def damage_payments(mongo_url: str) -> None:
    """Leave an order with a refund that never succeeds, and an event of the other mode."""
    with contextlib.closing(MongoClient[dict[str, object]](mongo_url)) as client:
        database = client["onsale"]
        refund = {"$set": {"status": "REFUND_PENDING"}, "$unset": {"workAt": "", "effectsAt": ""}}
        assert database["orders"].update_one({"status": "FULFILLED"}, refund).modified_count == 1
        event = {"$set": {"state": "QUARANTINED", "problem": "for the other mode"}}
        assert database["payment_events"].update_one({"state": "APPLIED"}, event).modified_count == 1


async def test_taken_metrics_port_ends_the_start_with_its_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        application = Application(tmp_path / "onsale", METRICS_PORT=port)
        await application.start()
        status = await application.ended()
    assert status == 1
    sentence = f"port {port} on 127.0.0.1 cannot be opened: another program uses it; set ONSALE_METRICS_PORT"
    assert sentence in application.output
    assert "Traceback" not in application.output
