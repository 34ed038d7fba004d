"""The bank's side: the sandbox's dashboard, clock and ledger. Requests are repeated until they are
answered.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from domain.money import CurrencyCode, Money
from payments.amounts import minor_amount, stripe_amount
from payments.sandbox.defaults import SECRET_KEY

ANSWER_TIMEOUT_S = 30.0
PAUSE_S = 0.3
TRIES = 400
_RETRYABLE = 429


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    number: int
    kind: str
    intent_id: str
    order_id: str
    concert_id: str
    currency: CurrencyCode
    amount_minor: int
    """In minor units, not in the sandbox's. Negative if the money goes to the card holder."""


class Bank:
    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def refund(self, intent_id: str, amount: Money | None) -> None:
        """Refund a payment in the provider's dashboard: a part of it, or the rest."""
        form = {"payment_intent": intent_id} | ({} if amount is None else {"amount": str(stripe_amount(amount))})
        # Because of the key, a repeated request refunds only once.
        await self._send("POST", "/v1/refunds", form, key=f"dashboard:{intent_id}")

    async def cancel(self, intent_id: str) -> None:
        """Cancel a payment in the provider's dashboard."""
        await self._send("POST", f"/v1/payment_intents/{intent_id}/cancel", {}, key=f"dashboard:{intent_id}:cancel")

    async def dispute(self, intent_id: str, outcome: str, *, amount: Money | None = None) -> None:
        """Open a dispute about a payment or a part of it, and decide it: `won` or `lost` by the
        merchant.
        """
        form = {"payment_intent": intent_id} | ({} if amount is None else {"amount": str(stripe_amount(amount))})
        opened = await self._send("POST", "/sandbox/disputes", form)
        if "id" in opened:
            await self._send("POST", f"/sandbox/disputes/{opened['id']}/close", {"outcome": outcome})

    async def settle(self, intent_id: str, outcome: str) -> None:
        await self._send("POST", f"/sandbox/payment_intents/{intent_id}/settle", {"outcome": outcome})

    async def processing_intents(self) -> list[str]:
        """Return the intents that the bank has not decided on."""
        found: list[str] = []
        after: dict[str, str] = {}
        while True:
            page = await self._send("GET", "/v1/payment_intents", {"limit": "100", **after})
            found += [intent["id"] for intent in page["data"] if intent["status"] == "processing"]
            if not page["has_more"]:
                return found
            after = {"starting_after": page["data"][-1]["id"]}

    async def move_clock(self, seconds: float) -> None:
        await self._send("POST", "/sandbox/clock", {"seconds": str(seconds)})

    async def add_fault(self, kind: str, *, count: int, operation: str = "", seconds: float = 0.0) -> None:
        form = {"kind": kind, "count": str(count), "seconds": str(seconds)}
        await self._send("POST", "/sandbox/faults", form | ({"operation": operation} if operation else {}))

    async def clear_faults(self) -> None:
        await self._send("DELETE", "/sandbox/faults", {})

    async def newest_events(self) -> list[str]:
        """Return the ids of the newest 100 events."""
        page = await self._send("GET", "/v1/events", {"limit": "100"})
        return [event["id"] for event in page.get("data", ())]

    async def resend(self, event_id: str) -> None:
        """Send the webhook of an event again."""
        await self._send("POST", f"/sandbox/events/{event_id}/resend", {})

    async def forget_keys(self) -> None:
        await self._send("POST", "/sandbox/keys", {})

    async def duplicate_webhooks(self, count: int) -> None:
        await self._send("POST", "/sandbox/webhooks", {"duplicates": str(count)})

    async def count_pending_webhooks(self) -> int:
        return len((await self._send("GET", "/sandbox/deliveries", {}))["pending"])

    async def read_ledger(self) -> list[LedgerEntry]:
        entries: list[LedgerEntry] = []
        has_more = True
        while has_more:
            after = str(entries[-1].number if entries else 0)
            page = await self._send("GET", "/sandbox/ledger", {"starting_after": after})
            entries += [_entry(entry) for entry in page["entries"]]
            has_more = page["has_more"]
        return entries

    async def _send(self, method: str, path: str, form: Mapping[str, str], *, key: str = "") -> dict[str, Any]:
        """Repeat a request until it is answered, and return the answer, even if it is a refusal."""
        headers = {"Idempotency-Key": key} if key else {}
        for _ in range(TRIES):
            try:
                if method == "GET":
                    response = await self._http.get(path, params=dict(form))
                else:
                    response = await self._http.request(method, path, data=dict(form), headers=headers)
                if response.status_code < _RETRYABLE and response.headers["content-type"].startswith(
                    "application/json"
                ):
                    answer: dict[str, Any] = response.json()
                    return answer
            except httpx2.TransportError:
                pass
            await asyncio.sleep(PAUSE_S)
        raise TimeoutError(f"the sandbox did not answer {method} {path}")


def _entry(document: dict[str, Any]) -> LedgerEntry:
    currency = CurrencyCode(document["currency"].upper())
    return LedgerEntry(
        document["number"],
        document["kind"],
        document["payment_intent"],
        document["metadata"].get("onsale_order", ""),
        document["metadata"].get("onsale_concert", ""),
        currency,
        minor_amount(document["amount"], currency),
    )


@asynccontextmanager
async def open_bank(url: str) -> AsyncIterator[Bank]:
    headers = {"Authorization": f"Bearer {SECRET_KEY}"}
    limits = httpx2.Limits(max_connections=20, max_keepalive_connections=20)
    async with httpx2.AsyncClient(
        base_url=url, headers=headers, timeout=ANSWER_TIMEOUT_S, limits=limits, trust_env=False
    ) as http:
        yield Bank(http)
