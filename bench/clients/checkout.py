"""Pays orders at the payment sandbox, as a buyer's browser does."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx2

from bench.clients.http_client import ANSWER_TIMEOUT_S, CONNECTIONS, JsonObject
from bench.clients.ledger import Ledger, Step

GOOD_CARD = "pm_card_visa"
DECLINED_CARD = "pm_card_chargeDeclined"
_DECLINED = 402
_RETRYABLE = 429
RETRY_PAUSE_S = 0.3


class Checkout:
    def __init__(self, http: httpx2.AsyncClient, ledger: Ledger) -> None:
        self._http = http
        self._ledger = ledger

    async def confirm(self, payment: JsonObject, card: str) -> None:
        """Confirm the payment with a test card, and repeat the request until the sandbox answers.

        A payment that another device has just confirmed is refused. That is not a failure, because
        the status of the order decides.
        """
        sandbox = urlsplit(payment["testPaymentUrl"])
        url = f"{sandbox.scheme}://{sandbox.netloc}/v1/payment_intents/{payment['intentId']}/confirm"
        form = {"client_secret": payment["clientSecret"], "payment_method": card}
        headers = {"Authorization": f"Bearer {payment['publishableKey']}"}
        while True:
            started = time.perf_counter()
            try:
                response = await self._http.post(url, data=form, headers=headers)
            except httpx2.TransportError:
                self._ledger.retried[Step.PAY, "connection lost"] += 1
                await asyncio.sleep(RETRY_PAUSE_S)
                continue
            if response.status_code < _RETRYABLE:
                break
            self._ledger.retried[Step.PAY, f"HTTP {response.status_code}"] += 1
            await asyncio.sleep(RETRY_PAUSE_S)
        self._ledger.answered_ms[Step.PAY].append((time.perf_counter() - started) * 1000)
        if response.status_code == _DECLINED:
            self._ledger.declined += 1


@asynccontextmanager
async def open_checkout(ledger: Ledger) -> AsyncIterator[Checkout]:
    limits = httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx2.AsyncClient(limits=limits, timeout=ANSWER_TIMEOUT_S * 3, trust_env=False) as http:
        yield Checkout(http, ledger)
