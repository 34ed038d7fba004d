"""Makes paid orders with tickets, and offers and scans of these tickets, without a store."""

from dataclasses import replace
from datetime import datetime, timedelta

from domain.ids import PersonId, TicketId, ticket_id
from domain.orders import Order
from domain.payments.facts import FactKind, FactState
from domain.payments.transitions import apply_facts
from domain.tickets.check_ins import Scan, ScannedTicket
from domain.tickets.ticket import Ticket
from domain.tickets.transfers import accept_transfer, request_transfer
from tests.support.payment_orders import NOW, payment_fact, pending_order, with_intent

ALICE, BOB, GUS = PersonId("alice"), PersonId("bob"), PersonId("gus")
BOBS_ADDRESS = "bob@example.org"


def paid_order(name: str, *numbers: int) -> Order:
    """Return a paid order of alice's for these units of the first tier."""
    order = with_intent(pending_order(name, *numbers))
    return apply_facts(order, [payment_fact(FactState.SUCCEEDED, amount_minor=2_500 * len(numbers))], NOW)


def id_of(order: Order, index: int = 0) -> TicketId:
    return ticket_id(order.id, order.tickets[index].unit)


def scanned(order: Order, index: int = 0, *, generation: int = 1) -> ScannedTicket:
    return ScannedTicket(id_of(order, index), generation)


def scan(scan_id: str, at: datetime = NOW, *, device: str = "gate-1", was_offline: bool = False) -> Scan:
    return Scan(scan_id, at, device, GUS, was_offline)


def offered(order: Order, *, digest: str = "d" * 64, email: str = BOBS_ADDRESS, now: datetime = NOW) -> Order:
    """Return the order after alice has offered its first ticket."""
    return request_transfer(order, id_of(order), holder=ALICE, email=email, secret_digest=digest, now=now)


def accepted(
    order: Order,
    *,
    by: PersonId = BOB,
    email: str | None = BOBS_ADDRESS,
    is_email_verified: bool = True,
    digest: str = "d" * 64,
    now: datetime = NOW,
) -> Order:
    """Return the order after its first ticket was accepted."""
    return accept_transfer(
        order,
        id_of(order),
        secret_digest=digest,
        person_id=by,
        email=email,
        is_email_verified=is_email_verified,
        name="Bob",
        now=now,
    )


def disputed(order: Order, state: FactState, at: datetime = NOW) -> Order:
    """Return the order after the bank has reported a dispute in this state."""
    fact = replace(payment_fact(state, at=at), kind=FactKind.DISPUTE, id="dp_1", row=None)
    return apply_facts(order, [fact], at)


def with_first_ticket(order: Order, **changes: object) -> Order:
    changed: Ticket = replace(order.tickets[0], **changes)  # type: ignore[arg-type]
    return replace(order, tickets=(changed, *order.tickets[1:]))


def later(**duration: int) -> datetime:
    return NOW + timedelta(**duration)
