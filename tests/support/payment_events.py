"""Payment events as a provider reports them, and the inbox entries made from them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from domain.ids import ConcertId, OrderId
from domain.money import CurrencyCode
from domain.payments.facts import FactKind, FactState, ProviderFact
from domain.payments.inbox import InboxEvent

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ORDER = OrderId("0123456789abcdef0123456789abcdef")
CONCERT = ConcertId("abcdefghjkmn")
INSTALLATION = "this-installation"


def payment_fact(intent_id: str = "pi_1", state: FactState = FactState.SUCCEEDED, **changes: Any) -> ProviderFact:
    made = ProviderFact(
        kind=FactKind.PAYMENT,
        id=intent_id,
        intent_id=intent_id,
        state=state,
        amount_minor=5_000,
        currency=CurrencyCode.EUR,
        at=NOW,
        row=1,
    )
    return replace(made, **changes)


def refund_fact(id_: str = "re_1", intent_id: str = "pi_1", **changes: Any) -> ProviderFact:
    return payment_fact(intent_id, kind=FactKind.REFUND, id=id_, row=None, **changes)


def inbox_event(id_: str = "evt_1", **changes: Any) -> InboxEvent:
    """Return an event that has just arrived, and is due."""
    made = InboxEvent(
        id=id_,
        kind="payment_intent.succeeded",
        provider="sandbox",
        intent_id="pi_1",
        order_id=ORDER,
        concert_id=CONCERT,
        facts=(payment_fact(),),
        created_at=NOW,
        received_at=NOW,
        due_at=NOW,
    )
    return replace(made, **changes)
