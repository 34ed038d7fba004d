"""People who buy, pay, cancel and return tickets, in the ways that put the saga at risk.

Each person does one thing, and repeats it until it is answered. Only the orders in the answers are
kept, because the judgment compares the final states of the bank and the stores.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bench.clients.catalog import SaleConcert
from bench.clients.checkout import DECLINED_CARD, GOOD_CARD, Checkout
from bench.clients.http_client import Client, Denied, JsonObject
from bench.clients.ledger import Step
from bench.clients.shop import BUY, HOLD, SYNC
from domain.money import CurrencyCode, Money
from proofs.payments.bank import Bank

CANCEL = """mutation Cancel($input: CancelOrderInput!) {
  cancelOrder(input: $input) {
    __typename
    ... on CancelOrderSuccess { order { id status } }
    ... on DomainError { code message retryable retryAfterSeconds }
  }
}"""

REFUND = """mutation Refund($input: RefundOrderInput!) {
  refundOrder(input: $input) {
    __typename
    ... on RefundOrderSuccess { order { id status } }
    ... on DomainError { code message retryable retryAfterSeconds }
  }
}"""

PAID = frozenset({"PAID", "FULFILLED"})
PAID_WITHIN_S = 45.0
SYNC_PAUSE_S = 0.5
THINKS_S = (0.0, 1.0)


@dataclass(slots=True)
class Answers:
    """The answers of the servers to all people."""

    counts: Counter[str] = field(default_factory=Counter)
    """How often each behavior or refusal occurred."""
    order_ids: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    """For each concert, the ids of the orders that each person was told about."""


@dataclass(slots=True)
class Shopper:
    """The buyer of one order, with the organizer who may refund it."""

    client: Client
    bank: Bank
    concert: SaleConcert
    currency: CurrencyCode
    name: str
    token: str
    organizer_token: str
    chance: random.Random
    answers: Answers
    checkout: Checkout = field(init=False)

    async def run(self, checkout: Checkout, arrives_after_s: float) -> None:
        self.checkout = checkout
        await asyncio.sleep(arrives_after_s)
        names, weights = zip(*SHARES.items(), strict=True)
        (chosen,) = self.chance.choices(names, weights)
        self.answers.counts[chosen] += 1
        await BEHAVIORS[chosen](self)

    async def pays(self, card: str = GOOD_CARD) -> JsonObject | None:
        """Buy, pay with the card, and return the order once the bank's answer has arrived."""
        order = await self._buy()
        if order is None or (order := await self._with_payment(order)) is None:
            return None
        await self._think()
        await self.checkout.confirm(order["payment"], card)
        return await self._until_closed(order)

    async def is_declined_first(self) -> None:
        if (order := await self._buy()) is None or (order := await self._with_payment(order)) is None:
            return
        await self.checkout.confirm(order["payment"], DECLINED_CARD)
        await self.checkout.confirm(order["payment"], GOOD_CARD)
        await self._until_closed(order)

    async def pays_twice_at_once(self) -> None:
        """Buy one hold on two devices, with two keys, and pay on both."""
        held = await self._ask(Step.HOLD, HOLD, {**self._wish(), "idempotencyKey": f"{self.name}-hold"})
        if held is None:
            return
        customer = {"holdId": held["hold"]["id"], **self._customer()}
        bought = await self._purchase(*({**customer, "idempotencyKey": f"{self.name}-{device}"} for device in (1, 2)))
        if bought is None or (order := await self._with_payment(bought)) is None:
            return
        payment = order["payment"]
        await asyncio.gather(*(self.checkout.confirm(payment, GOOD_CARD) for _ in range(2)))
        await self._until_closed(order)

    async def cancels_while_paying(self) -> None:
        if (order := await self._buy()) is None or (order := await self._with_payment(order)) is None:
            return
        await asyncio.gather(self.checkout.confirm(order["payment"], GOOD_CARD), self._cancel(order))

    async def cancels(self) -> None:
        if order := await self._buy():
            await self._think()
            await self._cancel(order)

    async def pays_late(self) -> None:
        """Pay with a card that succeeds a minute later, and cancel in the meantime."""
        if order := await self.pays_without_waiting("pm_card_lateSuccess"):
            await self._think()
            await self._cancel(order)

    async def pays_after_the_end(self) -> None:
        """Pay just when the merchant cancels the payment in the dashboard: the order ends after a
        decline, but the payment still succeeds.
        """
        if (order := await self._buy()) is None or (order := await self._with_payment(order)) is None:
            return
        await self.checkout.confirm(order["payment"], DECLINED_CARD)
        await self.checkout.confirm(order["payment"], "pm_card_lateSuccess")
        await self.bank.cancel(order["payment"]["intentId"])
        await self._until_closed(order)
        await self.bank.settle(order["payment"]["intentId"], "succeeded")

    async def never_pays(self) -> None:
        await self._buy()

    async def is_refunded(self, card: str = GOOD_CARD) -> None:
        if order := await self.pays(card):
            await self._refund(order, None)

    async def is_refunded_in_part(self) -> None:
        if order := await self.pays():
            line = order["lines"][0]
            await self._refund(order, [{"tierId": line["tierId"], "quantity": 1}], times=2)

    async def gets_goodwill(self) -> None:
        if order := await self.pays():
            await self.bank.refund(order["payment_intent"], Money(order["total"]["minor"] // 4, self.currency))

    async def is_refunded_by_the_bank(self) -> None:
        if order := await self.pays():
            await self.bank.refund(order["payment_intent"], None)

    async def disputes(self, outcome: str) -> None:
        if order := await self.pays():
            await self.bank.dispute(order["payment_intent"], outcome)

    async def disputes_a_part(self) -> None:
        if order := await self.pays():
            part = Money(order["total"]["minor"] // 4, self.currency)
            await self.bank.dispute(order["payment_intent"], "lost", amount=part)

    async def pays_without_waiting(self, card: str) -> JsonObject | None:
        order = await self._buy()
        if order is None or (order := await self._with_payment(order)) is None:
            return None
        await self.checkout.confirm(order["payment"], card)
        return order

    async def _buy(self) -> JsonObject | None:
        input_ = {**self._wish(), **self._customer(), "idempotencyKey": self.name}
        # A client that loses an answer repeats the request, so one key may be sent many times.
        return await self._purchase(input_, input_)

    async def _purchase(self, *inputs: JsonObject) -> JsonObject | None:
        """Send purchases at the same time, and return the first order in the answers."""
        twins = await asyncio.gather(*(self._ask(Step.BUY, BUY, input_) for input_ in inputs))
        orders: list[JsonObject] = [twin["order"] for twin in twins if twin is not None]
        told = self.answers.order_ids.setdefault(self.concert.id, {}).setdefault(self.name, set())
        told.update(order["id"] for order in orders)
        return orders[0] if orders else None

    def _wish(self) -> JsonObject:
        tiers = self.chance.sample(self.concert.tier_ids, k=self.chance.randint(1, 2))
        lines = [{"tierId": tier, "quantity": self.chance.randint(1, 2)} for tier in tiers]
        return {"concertId": self.concert.id, "lines": lines}

    def _customer(self) -> JsonObject:
        return {"customerName": self.name, "customerEmail": f"{self.name}@example.com"}

    async def _with_payment(self, order: JsonObject) -> JsonObject | None:
        """Return the order once it shows its payment, or None if it never does."""
        shown: JsonObject | None = order
        for _ in range(int(PAID_WITHIN_S / SYNC_PAUSE_S)):
            if shown is None or shown["payment"] is not None:
                return shown
            shown = await self._sync(shown) if shown["status"] == "PENDING_PAYMENT" else None
        return None

    async def _until_closed(self, order: JsonObject) -> JsonObject | None:
        """Return the order once it is PAID, with the intent that paid for it; otherwise None."""
        intent = order["payment"]["intentId"]
        shown: JsonObject | None = order
        for _ in range(int(PAID_WITHIN_S / SYNC_PAUSE_S)):
            if shown is None or shown["status"] != "PENDING_PAYMENT":
                break
            shown = await self._sync(shown)
        is_paid = shown is not None and shown["status"] in PAID
        return shown | {"payment_intent": intent} if shown is not None and is_paid else None

    async def _sync(self, order: JsonObject) -> JsonObject | None:
        await asyncio.sleep(SYNC_PAUSE_S)
        answer = await self._ask(Step.SYNC, SYNC, {"orderId": order["id"]})
        return answer["order"] if answer else None

    async def _cancel(self, order: JsonObject) -> None:
        await self._ask(Step.RELEASE, CANCEL, {"orderId": order["id"]})

    async def _refund(self, order: JsonObject, lines: list[JsonObject] | None, times: int = 1) -> None:
        """Request the refund `times` times, always with the same key."""
        input_ = {"orderId": order["id"], "idempotencyKey": f"refund-{self.name}"}
        if lines is not None:
            input_["lines"] = lines
        await asyncio.gather(
            *(self.client.ask(Step.RELEASE, REFUND, {"input": input_}, self.organizer_token) for _ in range(times))
        )

    async def _ask(self, step: Step, document: str, input_: JsonObject) -> JsonObject | None:
        """Return the answer, or None if the request was refused."""
        answer = await self.client.ask(step, document, {"input": input_}, self.token)
        if isinstance(answer, Denied):
            self.answers.counts[f"refused with {answer.code}"] += 1
            return None
        if "code" in answer:
            self.answers.counts[f"refused with {answer['code']}"] += 1
            return None
        return answer

    async def _think(self) -> None:
        await asyncio.sleep(self.chance.uniform(*THINKS_S))


Behavior = Callable[[Shopper], Awaitable[object]]

BEHAVIORS: dict[str, Behavior] = {
    "pays": lambda shopper: shopper.pays(),
    "pays after a decline": Shopper.is_declined_first,
    "pays slowly": lambda shopper: shopper.pays("pm_card_slow"),
    "pays, and the webhook comes twice": lambda shopper: shopper.pays("pm_card_duplicateWebhook"),
    "pays on two devices": Shopper.pays_twice_at_once,
    "cancels while paying": Shopper.cancels_while_paying,
    "cancels": Shopper.cancels,
    "pays late": Shopper.pays_late,
    "pays after the order has ended": Shopper.pays_after_the_end,
    "never pays": Shopper.never_pays,
    "never finishes processing": lambda shopper: shopper.pays_without_waiting("pm_card_never"),
    "returns everything": Shopper.is_refunded,
    "returns everything, and the bank takes its time": lambda shopper: shopper.is_refunded("pm_card_pendingRefund"),
    "returns everything, and the refund fails": lambda shopper: shopper.is_refunded("pm_card_refundFail"),
    "returns one ticket": Shopper.is_refunded_in_part,
    "gets goodwill in the dashboard": Shopper.gets_goodwill,
    "is refunded in the dashboard": Shopper.is_refunded_by_the_bank,
    "wins a dispute": lambda shopper: shopper.disputes("lost"),
    "wins a dispute about a part": Shopper.disputes_a_part,
    "loses a dispute": lambda shopper: shopper.disputes("won"),
}
"""By name. A dispute is won or lost by the merchant."""

SHARES = {
    "pays": 19,
    "pays after a decline": 6,
    "pays slowly": 5,
    "pays, and the webhook comes twice": 5,
    "pays on two devices": 5,
    "cancels while paying": 8,
    "cancels": 5,
    "pays late": 5,
    "pays after the order has ended": 5,
    "never pays": 4,
    "never finishes processing": 3,
    "returns everything": 8,
    "returns everything, and the bank takes its time": 2,
    "returns everything, and the refund fails": 2,
    "returns one ticket": 6,
    "gets goodwill in the dashboard": 3,
    "is refunded in the dashboard": 3,
    "wins a dispute": 2,
    "wins a dispute about a part": 2,
    "loses a dispute": 2,
}
"""The percentage of buyers with each behavior."""
