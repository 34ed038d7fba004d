"""A payment sandbox for tests, and the steps that a buyer, a bank and an operator take with it.

One process serves all tests of a module that use the fixture `sandbox`. Tests therefore look only
at their own intents; a test that needs an untouched sandbox starts one with `running_sandbox`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from payments.sandbox.defaults import PUBLISHABLE_KEY, SECRET_KEY, WEBHOOK_SECRET
from payments.sandbox.process import SandboxProcess
from tests.support.store_servers import ensure_running, running
from tests.support.waiting import wait_until

Document = dict[str, Any]


class Sandbox:
    """The steps. A test may stop, kill and start `process`."""

    secret_key = SECRET_KEY
    publishable_key = PUBLISHABLE_KEY
    webhook_secret = WEBHOOK_SECRET

    def __init__(self, process: SandboxProcess, client: httpx2.AsyncClient) -> None:
        self.process = process
        self.client = client

    @property
    def url(self) -> str:
        return self.process.url

    async def post(self, path: str, data: Document | None = None, *, key: str | None = None) -> httpx2.Response:
        """Send a request with the secret key, and an idempotency key if one is given."""
        headers = {"Idempotency-Key": key} if key else {}
        return await self.client.post(path, data=data or {}, headers=headers)

    async def get(self, path: str, **parameters: str) -> Document:
        return _document(await self.client.get(path, params=parameters))

    async def create_intent(self, amount: int = 5_000, currency: str = "eur", **metadata: str) -> Document:
        fields = {f"metadata[{name}]": value for name, value in metadata.items()}
        return _document(await self.post("/v1/payment_intents", {"amount": amount, "currency": currency, **fields}))

    async def intent(self, intent_id: str) -> Document:
        return await self.get(f"/v1/payment_intents/{intent_id}")

    async def pay(self, intent_id: str, card: str = "pm_card_visa", *, client_secret: str | None = None) -> Document:
        """Confirm an intent as a browser does, with the publishable key, and return the intent."""
        response = await self.confirm(intent_id, card, client_secret=client_secret)
        return _document(response)

    async def decline(self, intent_id: str, card: str = "pm_card_chargeDeclined") -> Document:
        """Confirm an intent with a card that is declined, and return the error."""
        response = await self.confirm(intent_id, card)
        assert response.status_code == 402, response.text
        error: Document = response.json()["error"]
        return error

    async def confirm(self, intent_id: str, card: str, *, client_secret: str | None = None) -> httpx2.Response:
        secret = client_secret or (await self.intent(intent_id))["client_secret"]
        return await self.client.post(
            f"/v1/payment_intents/{intent_id}/confirm",
            data={"payment_method": card, "client_secret": secret},
            headers={"Authorization": f"Bearer {PUBLISHABLE_KEY}"},
        )

    async def cancel(self, intent_id: str) -> Document:
        return _document(await self.post(f"/v1/payment_intents/{intent_id}/cancel"))

    async def settle(self, intent_id: str, outcome: str = "succeeded") -> Document:
        """Let the bank decide on a payment now: `succeeded` or `failed`, even after a cancel."""
        return _document(await self.post(f"/sandbox/payment_intents/{intent_id}/settle", {"outcome": outcome}))

    async def refund(self, intent_id: str, amount: int | None = None) -> Document:
        """Refund a payment in the provider's dashboard, not through Onsale."""
        fields = {"payment_intent": intent_id, **({} if amount is None else {"amount": amount})}
        return _document(await self.post("/v1/refunds", fields))

    async def refunds(self, intent_id: str) -> list[Document]:
        found: list[Document] = (await self.get("/v1/refunds", payment_intent=intent_id, limit="100"))["data"]
        return found

    async def settle_refund(self, refund_id: str, outcome: str) -> Document:
        return _document(await self.post(f"/sandbox/refunds/{refund_id}/settle", {"outcome": outcome}))

    async def dispute(self, intent_id: str, amount: int | None = None) -> Document:
        fields = {"payment_intent": intent_id, **({} if amount is None else {"amount": amount})}
        return _document(await self.post("/sandbox/disputes", fields))

    async def close_dispute(self, dispute_id: str, outcome: str) -> Document:
        """Decide a dispute: `won` (by the merchant) or `lost`."""
        return _document(await self.post(f"/sandbox/disputes/{dispute_id}/close", {"outcome": outcome}))

    async def move_clock(self, seconds: float) -> float:
        """Move the sandbox's clock forward, and return its time in seconds since 1970."""
        now = _document(await self.post("/sandbox/clock", {"seconds": seconds}))["now"]
        assert isinstance(now, float)
        return now

    async def forget_keys(self) -> None:
        _document(await self.post("/sandbox/keys"))

    async def fail(self, kind: str, operation: str | None = None, *, count: int = 1, seconds: float = 0) -> None:
        """Switch a fault on for the next `count` requests, or for all requests until `heal` if
        `count` is 0.

        The kinds are those of `payments.sandbox.faults.FaultKind`.
        """
        fields: Document = {"kind": kind, "count": count, "seconds": seconds}
        if operation is not None:
            fields["operation"] = operation
        _document(await self.post("/sandbox/faults", fields))

    async def heal(self) -> None:
        """Switch all faults off."""
        _document(await self.client.request("DELETE", "/sandbox/faults"))

    async def send_webhooks_to(self, url: str, *, secret: str = WEBHOOK_SECRET) -> None:
        _document(await self.post("/sandbox/webhooks", {"url": url, "secret": secret}))

    async def pause_webhooks(self) -> None:
        """Hold back all webhooks until `resume_webhooks`."""
        _document(await self.post("/sandbox/webhooks", {"paused": "true"}))

    async def resume_webhooks(self) -> None:
        _document(await self.post("/sandbox/webhooks", {"paused": "false"}))

    async def drop_webhooks(self) -> None:
        """Lose all webhooks that have not been accepted yet."""
        _document(await self.client.request("DELETE", "/sandbox/deliveries"))

    async def duplicate_webhooks(self, count: int) -> None:
        """Send the next `count` events twice."""
        _document(await self.post("/sandbox/webhooks", {"duplicates": count}))

    async def resend(self, event_id: str) -> None:
        _document(await self.post(f"/sandbox/events/{event_id}/resend"))

    async def events(self, kind: str) -> list[Document]:
        """Return the newest 100 events of a type, newest first."""
        found: list[Document] = (await self.get("/v1/events", type=kind, limit="100"))["data"]
        return found

    async def pending_webhooks(self) -> list[Document]:
        """Return the deliveries that the receiver has not accepted yet."""
        found: list[Document] = (await self.get("/sandbox/deliveries"))["pending"]
        return found

    async def webhooks_delivered(self) -> None:
        """Wait until the receiver has accepted every webhook."""

        async def is_done() -> bool:
            return not await self.pending_webhooks()

        await wait_until(is_done, what="the webhooks")

    async def ledger(self, intent_id: str | None = None) -> list[Document]:
        """Return the bank's entries, or those of one intent, in order."""
        found: list[Document] = []
        has_more = True
        while has_more:
            page = await self.get("/sandbox/ledger", starting_after=str(found[-1]["number"] if found else 0))
            found += page["entries"]
            has_more = page["has_more"]
        return [entry for entry in found if intent_id in (None, entry["payment_intent"])]

    async def balance(self, intent_id: str) -> int:
        """Return the amount that the bank has taken for an intent minus the amount that it has
        returned.
        """
        return sum(entry["amount"] for entry in await self.ledger(intent_id))


def _document(response: httpx2.Response) -> Document:
    assert response.status_code == 200, response.text
    document: Document = response.json()
    return document


@asynccontextmanager
async def running_sandbox(directory: Path, *, webhook: str | None = None) -> AsyncIterator[Sandbox]:
    async with running(SandboxProcess(directory, webhook=webhook)) as process:
        assert isinstance(process, SandboxProcess)
        async with _client(process) as client:
            yield Sandbox(process, client)


def _client(process: SandboxProcess) -> httpx2.AsyncClient:
    headers = {"Authorization": f"Bearer {SECRET_KEY}"}
    # A test that makes the sandbox slow must not lose its own requests.
    return httpx2.AsyncClient(base_url=process.url, headers=headers, timeout=60)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SandboxProcess]:
    """One sandbox for all tests of a module. It sends no webhooks until a test names a receiver."""
    async with running(SandboxProcess(tmp_path_factory.mktemp("sandbox"))) as process:
        assert isinstance(process, SandboxProcess)
        yield process


@pytest_asyncio.fixture
async def sandbox(sandbox_process: SandboxProcess) -> AsyncIterator[Sandbox]:
    """The sandbox of the module, without the faults and webhooks of earlier tests."""
    await ensure_running(sandbox_process)
    async with _client(sandbox_process) as client:
        steps = Sandbox(sandbox_process, client)
        await steps.heal()
        await steps.drop_webhooks()
        await steps.resume_webhooks()
        yield steps
