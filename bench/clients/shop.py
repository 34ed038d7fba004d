"""The shop as a person uses it: read the stock, and hold, release, buy and pay for tickets.

Each of these actions is one GraphQL operation with a typed answer.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.clients.catalog import SaleConcert
from bench.clients.checkout import GOOD_CARD, Checkout
from bench.clients.http_client import Client, Denied, JsonObject
from bench.clients.ledger import Ledger, Receipt, Step, TicketLine
from bench.clients.mutations import REFUSAL, MutationClient, RefusedMutation

STOCK = """query Stock($id: ID!) {
  concert(by: {id: $id}) { name isOnSale tiers { id name price { amount currency } capacity available held sold } }
}"""

HOLD = f"""mutation Hold($input: HoldTicketsInput!) {{
  holdTickets(input: $input) {{
    __typename
    ... on HoldTicketsSuccess {{ hold {{ id state expiresInSeconds lines {{ tierId quantity }} }} }}
    {REFUSAL}
  }}
}}"""

RELEASE = f"""mutation Release($input: ReleaseHoldInput!) {{
  releaseHold(input: $input) {{ __typename ... on ReleaseHoldSuccess {{ hold {{ id state }} }} {REFUSAL} }}
}}"""

ORDER = """
  id status customerEmail lines { tierId quantity } total { minor }
  payment { intentId clientSecret publishableKey testPaymentUrl lastDecline { code } }
"""

BUY = f"""mutation Buy($input: PurchaseTicketsInput!) {{
  purchaseTickets(input: $input) {{
    __typename
    ... on PurchaseTicketsSuccess {{ order {{ {ORDER} }} }}
    {REFUSAL}
  }}
}}"""

SYNC = f"""mutation Sync($input: SyncOrderPaymentInput!) {{
  syncOrderPayment(input: $input) {{
    __typename
    ... on SyncOrderPaymentSuccess {{ order {{ {ORDER} }} }}
    {REFUSAL}
  }}
}}"""

PAID = frozenset({"PAID", "FULFILLED"})
PAID_WITHIN_S = 60.0
"""The time within which a paid order must become PAID, even if servers are killed."""
SYNC_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class TierView:
    id: str
    capacity: int
    available: int
    held: int
    sold: int


@dataclass(frozen=True, slots=True)
class Held:
    hold_id: str
    lines: tuple[TicketLine, ...]


class Shop(MutationClient):
    """Holds, releases and buys tickets for one concert; `queue_pass` is the token of a pass.

    Without a checkout, only free tickets can be bought.
    """

    def __init__(self, client: Client, ledger: Ledger, concert: SaleConcert, checkout: Checkout | None = None) -> None:
        super().__init__(client, ledger, concert)
        self._checkout = checkout
        self.tier_ids = concert.tier_ids

    async def read_stock(self) -> tuple[TierView, ...] | None:
        """Return the stock, or None if it cannot be read."""
        concert = await self._client.ask(Step.STOCK, STOCK, {"id": self._concert_id}, None)
        if isinstance(concert, Denied):
            self.ledger.surprises.append(f"the stock query was answered with {concert}")
            return None
        tiers = concert["tiers"]
        if any(tier["available"] is None for tier in tiers):
            return None
        return tuple(TierView(t["id"], t["capacity"], t["available"], t["held"], t["sold"]) for t in tiers)

    async def hold(
        self, lines: Sequence[TicketLine], key: str, *, token: str | None, queue_pass: str | None
    ) -> Held | RefusedMutation:
        input_ = {
            "concertId": self._concert_id,
            "lines": _line_inputs(lines),
            "idempotencyKey": key,
            "queuePass": queue_pass,
        }
        answer = await self._mutate(Step.HOLD, HOLD, input_, token)
        if isinstance(answer, RefusedMutation):
            return answer
        held = Held(answer["hold"]["id"], _lines(answer["hold"]))
        self.ledger.holds[held.hold_id] = sum(line.quantity for line in held.lines)
        return held

    async def release(self, hold_id: str, *, token: str) -> RefusedMutation | None:
        answer = await self._mutate(Step.RELEASE, RELEASE, {"holdId": hold_id}, token)
        return answer if isinstance(answer, RefusedMutation) else None

    async def buy(
        self, hold_id: str, key: str, *, buyer: str, token: str, cards: Sequence[str] = (GOOD_CARD,)
    ) -> Receipt | RefusedMutation:
        """Buy the hold and pay, trying one card after another. The last one must be a good one."""
        order = await self._purchase({"holdId": hold_id}, key, buyer, token=token)
        return order if isinstance(order, RefusedMutation) else await self._pay(order, buyer, cards, token=token)

    async def buy_without_paying(self, hold_id: str, key: str, *, buyer: str, token: str) -> RefusedMutation | None:
        """Buy the hold, and never pay for the order."""
        order = await self._purchase({"holdId": hold_id}, key, buyer, token=token)
        if isinstance(order, RefusedMutation):
            return order
        self.ledger.unpaid[order["id"]] = sum(line.quantity for line in _lines(order))
        return None

    async def buy_at_once(
        self, lines: Sequence[TicketLine], key: str, *, buyer: str, token: str, queue_pass: str
    ) -> Receipt | RefusedMutation:
        bought = {"concertId": self._concert_id, "lines": _line_inputs(lines), "queuePass": queue_pass}
        order = await self._purchase(bought, key, buyer, token=token)
        return order if isinstance(order, RefusedMutation) else await self._pay(order, buyer, (GOOD_CARD,), token=token)

    async def _purchase(self, bought: JsonObject, key: str, buyer: str, *, token: str) -> JsonObject | RefusedMutation:
        customer = {"customerName": f"Buyer {buyer[5:]}", "customerEmail": f"{buyer}@example.com"}
        answer = await self._mutate(Step.BUY, BUY, {**bought, **customer, "idempotencyKey": key}, token)
        if isinstance(answer, RefusedMutation):
            return answer
        order: JsonObject = answer["order"]
        return order

    async def _pay(
        self, order: JsonObject, buyer: str, cards: Sequence[str], *, token: str
    ) -> Receipt | RefusedMutation:
        """Pay for the order, and return the receipt once it is PAID."""
        tried, until = 0, time.monotonic() + PAID_WITHIN_S
        while order["status"] == "PENDING_PAYMENT" and time.monotonic() < until:
            payment = order["payment"]
            if payment is not None and self._checkout is not None and tried < len(cards):
                await self._checkout.confirm(payment, cards[tried])
                tried += 1
            else:
                await asyncio.sleep(SYNC_PAUSE_S)
            answer = await self._mutate(Step.SYNC, SYNC, {"orderId": order["id"]}, token)
            if isinstance(answer, RefusedMutation):
                return answer
            order = answer["order"]
        receipt = Receipt(order["id"], buyer, order["customerEmail"], _lines(order), order["total"]["minor"])
        if order["status"] in PAID:
            self.ledger.record_order(receipt)
        else:
            self.ledger.surprises.append(f"{receipt} is {order['status']} after the payment")
        return receipt


def _line_inputs(lines: Sequence[TicketLine]) -> list[JsonObject]:
    return [{"tierId": line.tier_id, "quantity": line.quantity} for line in lines]


def _lines(hold_or_order: JsonObject) -> tuple[TicketLine, ...]:
    return tuple(TicketLine(line["tierId"], line["quantity"]) for line in hold_or_order["lines"])
