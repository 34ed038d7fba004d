"""One trace leads from `purchaseTickets` to the fulfilled order and its mail, in a real process
with its embedded stores and its sandbox.
"""

from pathlib import Path

import httpx2
import pytest

from tests.support.app_buyer import sign_in
from tests.support.application import Application, started
from tests.support.traces import CLIENT_SPAN, CLIENT_TRACE, TRACEPARENT, Collector, ReceivedSpan, running_collector
from tests.support.waiting import wait_until

REQUEST = ["POST /graphql", "mutation"]


def change_to(collector: Collector, status: str) -> ReceivedSpan:
    (found,) = [
        span
        for span in collector.of_trace(CLIENT_TRACE)
        if span.name == "change order" and span.attributes["onsale.order_status"] == status
    ]
    return found


async def buy(application: Application) -> None:
    """Buy tickets in the trace of the client, and pay for them without it."""
    async with httpx2.AsyncClient(base_url=application.url, timeout=60) as client:
        buyer = await sign_in(client)
        buyer.headers["traceparent"] = TRACEPARENT
        order = await buyer.buy_two()
        await client.post(order["payment"]["testPaymentUrl"], data={"payment_method": "pm_card_visa"})


async def test_one_trace_leads_from_the_purchase_to_the_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        settings = {"DEMO": "yes", "TRACES": "yes", "LOG_FORMAT": "json"}
        async with started(Application(tmp_path / "onsale", **settings)) as application:
            await buy(application)
            await wait_until(lambda: any(span.name == "send mail" for span in collector.spans), what="the mail")
    trace = {span.name: span for span in collector.of_trace(CLIENT_TRACE)}
    purchase = collector.of_trace(CLIENT_TRACE)
    operation = trace["mutation"]
    (request,) = [span for span in purchase if span.span_id == operation.parent_id]
    assert (request.name, request.parent_id) == ("POST /graphql", CLIENT_SPAN)
    # The request itself.
    assert collector.path(trace["redis begin_purchase"]) == [*REQUEST, "redis begin_purchase"]
    assert collector.path(change_to(collector, "PENDING_PAYMENT"))[:3] == [*REQUEST, "order CREATE_INTENT"]
    # The webhook, which has a trace of its own.
    paid = change_to(collector, "PAID")
    assert collector.path(paid) == [*REQUEST, "apply payment events", "change order"]
    (applied,) = [span for span in purchase if span.span_id == paid.parent_id]
    webhooks = {span.trace_id for span in collector.spans if span.name == "POST /webhooks/payments"}
    assert applied.parent_id == operation.span_id
    assert applied.linked_traces
    assert set(applied.linked_traces) <= webhooks
    # What the order has caused.
    for name in ("effect document", "effect mail", "effect sales", "send mail"):
        assert trace[name].parent_id == operation.span_id, name
    assert collector.path(change_to(collector, "FULFILLED")) == [*REQUEST, "change order"]
    assert trace["send mail"].attributes["onsale.result"] == "SENT"
    assert not [span.name for span in purchase if span.is_failed]
    for secret in ("alice", "onsale.example", "pm_card_visa"):
        assert secret not in str(collector.spans)
