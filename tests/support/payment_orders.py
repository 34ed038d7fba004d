"""Creates orders in every payment state, without a provider."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from domain.concerts import Concert, ConcertStatus, ConcertTerms, Tier, Venue
from domain.holds import TicketLine
from domain.ids import ConcertId, OrderId, PersonId, Unit, fingerprint, tier_id
from domain.money import CurrencyCode
from domain.orders import Customer, Order, OrderEvent, OrderStatus
from domain.payments.facts import FactKind, FactState, ProviderFact
from domain.payments.payment import Payment, PaymentAttempt

CONCERT = ConcertId("abcdefghjkmn")
TIER = tier_id(CONCERT, 1)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DEADLINE = NOW + timedelta(minutes=10)


def order_id(name: str) -> OrderId:
    """Return an id in the form of real ids."""
    return OrderId(fingerprint(name)[:32])


def pending_order(
    name: str,
    *numbers: int,
    concert_id: ConcertId = CONCERT,
    price_minor: int = 2_500,
    work_at: datetime | None = DEADLINE,
) -> Order:
    """Return an unpaid order for these units of the first tier, by default at 25.00 euros each."""
    tier = tier_id(concert_id, 1)
    return Order(
        id=order_id(name),
        concert_id=concert_id,
        person_id=PersonId("alice"),
        status=OrderStatus.PENDING_PAYMENT,
        units=tuple(Unit(f"{tier}:{number}") for number in numbers),
        released_units=(),
        lines=(TicketLine(tier, len(numbers), price_minor),),
        currency=CurrencyCode.EUR,
        customer=Customer("Ada", "ada@example.org"),
        version=1,
        events=(OrderEvent("PENDING_PAYMENT", NOW),),
        created_at=NOW,
        payment=Payment("sandbox", DEADLINE, (PaymentAttempt(1, NOW),)),
        work_at=work_at,
    )


def with_intent(order: Order, intent_id: str = "pi_1") -> Order:
    """Return the next version of an order, in which the attempt has an intent."""
    assert order.payment is not None
    attempt = replace(order.payment.attempt, intent_id=intent_id, client_secret=f"{intent_id}_secret")
    payment = replace(order.payment, attempts=(*order.payment.attempts[:-1], attempt))
    return replace(order, version=order.version + 1, payment=payment)


def payment_fact(
    state: FactState, *, intent_id: str = "pi_1", amount_minor: int = 2_500, at: datetime = NOW
) -> ProviderFact:
    return ProviderFact(
        kind=FactKind.PAYMENT,
        id=intent_id,
        intent_id=intent_id,
        state=state,
        amount_minor=amount_minor,
        currency=CurrencyCode.EUR,
        at=at,
        row=1,
    )


def concert_of_orders(**changes: object) -> Concert:
    """Return the concert of the orders, with changes."""
    terms = ConcertTerms(
        name="Winterreise",
        venue=Venue("Olympiahalle", "Munich", "DE", "Europe/Berlin"),
        description="",
        starts_at=datetime(2027, 3, 5, 19, tzinfo=UTC),
        sales_start_at=NOW,
        sales_end_at=NOW + timedelta(days=90),
        limit_per_order=8,
        limit_per_person=8,
        hold_duration_ms=300_000,
    )
    made = Concert(
        id=CONCERT,
        slug="winterreise",
        terms=terms,
        currency=CurrencyCode.EUR,
        tiers=(Tier(TIER, "Standing", 2_500, 100, 100),),
        status=ConcertStatus.PUBLISHED,
        version=2,
        epoch=1,
        created_by=PersonId("olivia"),
        created_at=NOW,
        organizer_id=PersonId("olivia"),
    )
    return replace(made, **changes)  # type: ignore[arg-type]
