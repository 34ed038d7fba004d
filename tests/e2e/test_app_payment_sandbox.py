"""`python app.py` runs the payment sandbox beside its stores, and orders are paid there."""

import os
import signal
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from payments.embedded_sandbox import FOLDER, find_embedded_sandbox
from settings import PaymentSettings
from storage.embedded.ports import accepts_connections
from tests.support.application import Application, started
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    async with started(Application(tmp_path_factory.mktemp("application") / "onsale")) as made:
        yield made


def _sandbox_url(application: Application) -> str:
    url = find_embedded_sandbox(PaymentSettings(), application.data_dir).url
    assert url is not None
    return url


async def _pay(url: str) -> str:
    """Pay an intent that no order has, and return its id."""
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
