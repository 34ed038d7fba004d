"""`python app.py` runs the payment sandbox beside its stores, and orders are paid there."""

import os
import re
import signal
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from payments.embedded_sandbox import FOLDER, find_embedded_sandbox
from settings import PaymentSettings
from storage.embedded.ports import accepts_connections
from tests.support.app_buyer import sign_in
from tests.support.application import Application, started
from tests.support.ticket_documents import scan_codes
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

STATUS = """query ($id: ID!) { order(id: $id) { status document { pdfUrl ticketCount } } }"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    async with started(Application(tmp_path_factory.mktemp("application") / "onsale", DEMO="yes")) as made:
        yield made


def _sandbox_url(application: Application) -> str:
    url = find_embedded_sandbox(PaymentSettings(), application.data_dir).url
    assert url is not None
    return url


async def _pay(url: str) -> str:
    """Pay an intent that belongs to no order, and return its id."""
    headers = {"Authorization": "Bearer sk_test_sandbox"}
    fields = {"amount": 500, "currency": "eur", "confirm": "true", "payment_method": "pm_card_visa"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
        intent = (await client.post("/v1/payment_intents", data=fields)).json()
        assert intent["status"] == "succeeded"
        return str(intent["id"])


async def _pending(url: str) -> list[dict[str, object]]:
    headers = {"Authorization": "Bearer sk_test_sandbox"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
        found: list[dict[str, object]] = (await client.get("/sandbox/deliveries")).json()["pending"]
        return found


async def test_order_paid_on_its_test_page_gets_its_document(application: Application) -> None:
    async with httpx2.AsyncClient(base_url=application.url, timeout=60) as client:
        buyer = await sign_in(client)
        order = await buyer.buy_two()
        assert order["status"] == "PENDING_PAYMENT"

        page = await client.post(order["payment"]["testPaymentUrl"], data={"payment_method": "pm_card_visa"})

        assert "The payment succeeded." in page.text

        async def is_fulfilled() -> bool:
            return bool((await buyer.ask(STATUS, id=order["id"]))["order"]["status"] == "FULFILLED")

        await wait_until(is_fulfilled, what="the document of the paid order")
        document = (await buyer.ask(STATUS, id=order["id"]))["order"]["document"]
        downloaded = await client.get(document["pdfUrl"].replace("http://localhost", "http://127.0.0.1"))
        assert (downloaded.status_code, document["ticketCount"]) == (200, 2)
        assert [len(codes) for codes in scan_codes(downloaded.content)] == [1, 1]


async def test_tickets_mailed_for_a_paid_order_can_be_scanned(application: Application) -> None:
    async with httpx2.AsyncClient(base_url=application.url, timeout=60) as client:
        buyer = await sign_in(client)
        order = await buyer.buy_two(customerName="Mail Reader", locale="de-AT")
        await client.post(order["payment"]["testPaymentUrl"], data={"payment_method": "pm_card_visa"})
        found: list[str] = []

        async def is_mailed() -> bool:
            links = re.findall(
                r'<a href="(/dev/mailbox/[0-9a-f]+)">Ihre Tickets', (await client.get("/dev/mailbox")).text
            )
            found[:] = links
            return bool(links)

        await wait_until(is_mailed, what="the mail")
        page, pdf, calendar = [await client.get(f"{found[0]}{rest}") for rest in ("", "/0", "/1")]
    assert "Guten Tag Mail Reader," in page.text
    assert [len(codes) for codes in scan_codes(pdf.content)] == [1, 1]
    assert calendar.content.startswith(b"BEGIN:VCALENDAR\r\n")


async def test_application_accepts_the_webhooks_of_its_sandbox(application: Application) -> None:
    url = _sandbox_url(application)
    await _pay(url)

    async def is_delivered() -> bool:
        return not await _pending(url)

    await wait_until(is_delivered, what="the webhook")


async def test_killed_sandbox_is_restarted_on_the_same_port(application: Application) -> None:
    url, before = _sandbox_url(application), application.store_holder(FOLDER)
    assert before is not None
    os.kill(before.pid, signal.SIGKILL)
    await wait_until(lambda: application.store_holder(FOLDER) not in (before, None), what="a new process")
    await wait_until(lambda: accepts_connections(before.port), what="the sandbox")

    await _pay(url)

    assert _sandbox_url(application) == url


async def test_stopped_application_stops_its_sandbox(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with started(Application(tmp_path_factory.mktemp("stopped") / "onsale")) as application:
        port = int(_sandbox_url(application).rpartition(":")[2])
        assert await application.end() == 0
        assert not accepts_connections(port)
