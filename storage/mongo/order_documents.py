"""The documents of orders in MongoDB.

A field that an earlier version of Onsale did not write is read as its default. `workAt` is missing
from the document of an order with nothing to do, so the index on it stays small.
"""

from domain.holds import TicketLine
from domain.ids import ConcertId, OrderId, PersonId, TierId, Unit
from domain.money import CurrencyCode
from domain.orders import Customer, Order, OrderEvent, OrderStatus
from domain.organizers.order_search import order_words
from domain.payments.facts import FactKind, FactState, ProviderFact
from domain.payments.payment import (
    Effects,
    EffectState,
    FreedBy,
    LateOutcome,
    Payment,
    PaymentAttempt,
    Refund,
    RefundReason,
)
from domain.text.locales import Locale
from storage.mongo.client import Document
from storage.mongo.tickets.ticket_documents import revocations_from_document, ticket_fields, tickets_from_document


def order_document(order: Order) -> Document:
    document: Document = {
        "_id": order.id,
        "concertId": order.concert_id,
        "personId": order.person_id,
        "status": order.status,
        "units": list(order.units),
        "releasedUnits": list(order.released_units),
        "lines": [
            {"tierId": line.tier_id, "quantity": line.quantity, "unitPriceMinor": line.unit_price_minor}
            for line in order.lines
        ],
        "currency": order.currency,
        "customer": {"name": order.customer.name, "email": order.customer.email},
        "locale": order.customer.locale,
        "version": order.version,
        "events": [{"kind": event.kind, "at": event.at} for event in order.events],
        "createdAt": order.created_at,
        "holdDigest": order.hold_digest,
        "passPlace": order.pass_entry_id,
        "updatedAt": order.events[-1].at,
        "effects": dict(order.effects.states),
        "search": search_words(order.person_id, order.customer),
    }
    if order.effects.silent_refunds:
        document["silentRefunds"] = list(order.effects.silent_refunds)
    if order.payment is not None:
        document["payment"] = _payment_document(order.payment)
    if order.work_at is not None:
        document["workAt"] = order.work_at
    if order.effects_at is not None:
        document["effectsAt"] = order.effects_at
    if order.traceparent is not None:
        document["traceparent"] = order.traceparent
    return document | ticket_fields(order)


def search_words(person_id: PersonId, customer: Customer | None) -> list[str]:
    """Return the words by which an order is found, as they are stored.

    An order without words has an empty one, which no search contains: MongoDB finds an empty list
    in the index where it looks for orders that lack the words.
    """
    return list(order_words(person_id, customer) if customer else ()) or [""]


def order_from_document(document: Document) -> Order:
    payment = document.get("payment")
    return Order(
        id=OrderId(document["_id"]),
        concert_id=ConcertId(document["concertId"]),
        person_id=PersonId(document["personId"]),
        status=OrderStatus(document["status"]),
        units=tuple(Unit(unit) for unit in document.get("units", ())),
        released_units=tuple(Unit(unit) for unit in document.get("releasedUnits", ())),
        lines=tuple(
            TicketLine(TierId(line["tierId"]), line["quantity"], line["unitPriceMinor"])
            for line in document.get("lines", ())
        ),
        currency=CurrencyCode(document["currency"]),
        customer=Customer(**document["customer"], locale=Locale(document.get("locale", Locale.EN))),
        version=document["version"],
        events=tuple(OrderEvent(event["kind"], event["at"]) for event in document.get("events", ())),
        created_at=document["createdAt"],
        hold_digest=document["holdDigest"],
        pass_entry_id=document.get("passPlace"),
        payment=None if payment is None else _payment(payment),
        effects=Effects(
            {name: EffectState(state) for name, state in document.get("effects", {}).items()},
            tuple(document.get("silentRefunds", ())),
        ),
        work_at=document.get("workAt"),
        tickets=tickets_from_document(document),
        revocations=revocations_from_document(document),
        effects_at=document.get("effectsAt"),
        traceparent=document.get("traceparent"),
    )


def _payment_document(payment: Payment) -> Document:
    return {
        "provider": payment.provider,
        "expiresAt": payment.expires_at,
        "attempts": [
            {
                "number": attempt.number,
                "startedAt": attempt.started_at,
                "intentId": attempt.intent_id,
                "clientSecret": attempt.client_secret,
            }
            for attempt in payment.attempts
        ],
        "facts": [fact_document(fact) for fact in payment.facts],
        "refunds": [_refund_document(refund) for refund in payment.refunds],
        "cancelRequestedAt": payment.cancel_requested_at,
        "cancelReason": payment.cancel_reason,
        "freedBy": payment.freed_by,
        "late": payment.late,
    }


def _payment(document: Document) -> Payment:
    freed_by, late = document["freedBy"], document["late"]
    return Payment(
        provider=document["provider"],
        expires_at=document["expiresAt"],
        attempts=tuple(
            PaymentAttempt(
                number=attempt["number"],
                started_at=attempt["startedAt"],
                intent_id=attempt["intentId"],
                client_secret=attempt["clientSecret"],
            )
            for attempt in document["attempts"]
        ),
        facts=tuple(fact_from_document(fact) for fact in document["facts"]),
        refunds=tuple(_refund(refund) for refund in document["refunds"]),
        cancel_requested_at=document["cancelRequestedAt"],
        cancel_reason=document["cancelReason"],
        freed_by=None if freed_by is None else FreedBy(freed_by),
        late=None if late is None else LateOutcome(late),
    )


def fact_document(fact: ProviderFact) -> Document:
    return {
        "kind": fact.kind,
        "id": fact.id,
        "intentId": fact.intent_id,
        "state": fact.state,
        "amountMinor": fact.amount_minor,
        "currency": fact.currency,
        "at": fact.at,
        "row": fact.row,
        "code": fact.code,
    }


def fact_from_document(document: Document) -> ProviderFact:
    currency = document["currency"]
    return ProviderFact(
        kind=FactKind(document["kind"]),
        id=document["id"],
        intent_id=document["intentId"],
        state=FactState(document["state"]),
        amount_minor=document["amountMinor"],
        currency=None if currency is None else CurrencyCode(currency),
        at=document["at"],
        row=document["row"],
        code=document["code"],
    )


def _refund_document(refund: Refund) -> Document:
    return {
        "number": refund.number,
        "intentId": refund.intent_id,
        "amountMinor": refund.amount_minor,
        "units": list(refund.units),
        "reason": refund.reason,
        "requestedAt": refund.requested_at,
        "requestedBy": refund.requested_by,
        "requestKey": refund.request_key,
        "requestDigest": refund.request_digest,
        "replaces": refund.replaces,
    }


def _refund(document: Document) -> Refund:
    requested_by = document["requestedBy"]
    return Refund(
        number=document["number"],
        intent_id=document["intentId"],
        amount_minor=document["amountMinor"],
        units=tuple(Unit(unit) for unit in document["units"]),
        reason=RefundReason(document["reason"]),
        requested_at=document["requestedAt"],
        requested_by=None if requested_by is None else PersonId(requested_by),
        request_key=document["requestKey"],
        request_digest=document["requestDigest"],
        replaces=document["replaces"],
    )
