"""The order types of the schema and the order query. `mutations/orders.py` has the mutations."""

from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from typing import Annotated, Self

import strawberry

import domain.holds
import domain.orders
import domain.payments.payment
from domain.errors import NotFound
from domain.ids import ConcertId, HoldId, OrderId, PersonId
from domain.money import CurrencyCode
from domain.payments.facts import ProviderFact
from domain.payments.refunds import refund_lines, refund_state, refunded_minor, shown_refunds
from resolvers import holds
from resolvers import orders as resolve
from resolvers.context import Context
from resolvers.payments import PayableAttempt, find_payable_attempt
from resolvers.permissions import find_organizer
from resolvers.tickets.documents import make_document_links
from schema import ids
from schema.concerts import Concert, load_concert
from schema.enums import RefundReason, RefundState
from schema.holds import Hold, TicketLine
from schema.ids import Kind
from schema.scalars import Money, seconds_until
from schema.strawberry_fixes import ID, Info, computed
from schema.tickets.document import TicketDocument
from schema.tickets.ticket import Ticket

_Status = domain.orders.OrderStatus


@strawberry.enum(
    description="The status of an order. It follows from what the payment provider reports and from your requests."
)
class OrderStatus(Enum):
    # Fences (VOID) and house purchases (WITHDRAWN) are bookkeeping and are never shown.
    PENDING_PAYMENT = strawberry.enum_value(
        _Status.PENDING_PAYMENT.value,
        description="Waiting for your payment. The tickets are held until `payment.deadline`.",
    )
    PAID = strawberry.enum_value(_Status.PAID.value, description="Paid, and the tickets are issued.")
    FULFILLED = strawberry.enum_value(
        _Status.FULFILLED.value, description="Paid, and the document with the tickets is ready too."
    )
    PAYMENT_FAILED = strawberry.enum_value(
        _Status.PAYMENT_FAILED.value,
        description="Over: your card was declined, and the deadline passed. The tickets are on sale again.",
    )
    EXPIRED = strawberry.enum_value(
        _Status.EXPIRED.value,
        description="Over: the deadline passed without a payment. The tickets are on sale again.",
    )
    CANCELLED = strawberry.enum_value(
        _Status.CANCELLED.value,
        description="Over: canceled before it was paid. The tickets are on sale again.",
    )
    LATE_PAYMENT = strawberry.enum_value(
        _Status.LATE_PAYMENT.value,
        description=(
            "Your payment arrived after the tickets were put on sale again. The order gets tickets if enough are left,"
            " and is refunded otherwise, within seconds."
        ),
    )
    REFUND_PENDING = strawberry.enum_value(
        _Status.REFUND_PENDING.value,
        description="A refund is on its way. See `refunds` for the tickets that it covers.",
    )
    REFUNDED = strawberry.enum_value(_Status.REFUNDED.value, description="Over: the whole price was returned.")
    DISPUTE_LOST = strawberry.enum_value(
        _Status.DISPUTE_LOST.value,
        description="Over: your bank reversed the payment or a part of it, and the rest is refunded. The tickets"
        " are not valid.",
    )


@strawberry.enum(description="A payment provider.")
class PaymentProvider(Enum):
    STRIPE = strawberry.enum_value("stripe", description="Stripe. Confirm the payment with Stripe.js.")
    SANDBOX = strawberry.enum_value(
        "sandbox", description="A provider that moves no money, for development. Pay at `testPaymentUrl`."
    )


@strawberry.type(description="A card that the bank declined. You can pay with another card until the deadline.")
class PaymentDecline:
    code: str = strawberry.field(description="The provider's reason, such as `card_declined`.")
    at: datetime = strawberry.field(description="When the card was declined.")

    @classmethod
    def of(cls, fact: ProviderFact) -> Self:
        return cls(code=fact.code, at=fact.at)


@strawberry.type(
    description=(
        "What your client needs to pay an order. Confirm the payment with the provider's library, then call"
        " `syncOrderPayment`. Keep `clientSecret` out of logs and URLs."
    )
)
class PaymentAttempt:
    person_id: strawberry.Private[PersonId]
    provider: PaymentProvider = strawberry.field(description="The provider that takes the payment.")
    publishable_key: str = strawberry.field(
        description="The public key that the provider's library is initialized with."
    )
    intent_id: str = strawberry.field(description="The provider's id of the payment intent.")
    client_secret: str = strawberry.field(description="The secret with which your client confirms the intent.")
    deadline: datetime = strawberry.field(
        description=(
            "When the order expires, by the server's clock. It never changes, and is also the hold's `expiresAt`."
        )
    )
    seconds_until_deadline: int = strawberry.field(
        description="Seconds until the deadline, for clients whose clock may be wrong."
    )
    last_decline: PaymentDecline | None = strawberry.field(
        description="The last card that was declined. Null if none was."
    )
    test_payment_url: str | None = strawberry.field(
        description="A page on which you can pay with test cards. Null unless the provider is the sandbox."
    )

    @classmethod
    def of(cls, attempt: PayableAttempt, *, owner: PersonId) -> Self:
        return cls(
            person_id=owner,
            provider=PaymentProvider(attempt.provider),
            publishable_key=attempt.publishable_key,
            intent_id=attempt.intent_id,
            client_secret=attempt.client_secret,
            deadline=attempt.deadline,
            seconds_until_deadline=seconds_until(attempt.deadline),
            last_decline=PaymentDecline.of(attempt.last_decline) if attempt.last_decline else None,
            test_payment_url=attempt.test_payment_url,
        )


@strawberry.type(description="A refund of an order, or of some of its tickets.")
class Refund:
    state: RefundState = strawberry.field(description="Whether the money has been returned.")
    reason: RefundReason = strawberry.field(description="Why the refund was made.")
    amount: Money = strawberry.field(description="The amount.")
    lines: list[TicketLine] = strawberry.field(
        description="The refunded tickets. Empty if the payment did not buy any."
    )
    requested_at: datetime = strawberry.field(description="When it was requested.")

    @classmethod
    def of(cls, order: domain.orders.Order, refund: domain.payments.payment.Refund) -> Self:
        return cls(
            state=refund_state(order, refund),
            reason=refund.reason,
            amount=Money.of(refund.amount_minor, order.currency),
            lines=_lines(refund_lines(order, refund), order.currency),
            requested_at=refund.requested_at,
        )


@strawberry.type(description="A purchase. No other order contains its tickets.")
class Order(ids.Node):
    order: strawberry.Private[domain.orders.Order]
    person_id: strawberry.Private[PersonId]
    concert_id: strawberry.Private[ConcertId]
    organizer_id: strawberry.Private[PersonId | None]
    number: str = strawberry.field(
        description="The order number to show to people: twelve letters and digits. Use `id` in requests."
    )
    status: OrderStatus = strawberry.field(description="The status of the order.")
    lines: list[TicketLine] = strawberry.field(description="The tickets, including refunded ones.")
    total: Money = strawberry.field(description="The total price.")
    refunds: list[Refund] = strawberry.field(description="The refunds, oldest first.")
    refunded: Money = strawberry.field(
        description="The money returned so far, including refunds that are not listed because the provider made them."
    )
    customer_name: str = strawberry.field(description="The name of the ticket holder.")
    customer_email: str = strawberry.field(description="The email address for the tickets.")
    created_at: datetime = strawberry.field(description="When the order was created.")
    cancel_requested_at: datetime | None = strawberry.field(
        description=(
            "When the cancellation was requested. The order is canceled as soon as the provider confirms that it can"
            " no longer be paid."
        )
    )
    version: int = strawberry.field(description="Increases with every change to the order.")
    epoch: int = strawberry.field(
        description=(
            "Always 0: an order is never rebuilt. It lets clients compare orders in the same way as queue entries and"
            " stock."
        )
    )

    @classmethod
    def of(cls, order: domain.orders.Order, *, organizer_id: PersonId | None = None) -> Self:
        """Return the order. Without `organizer_id`, only its owner and admins may see it."""
        return cls(
            order=order,
            person_id=order.person_id,
            concert_id=order.concert_id,
            organizer_id=organizer_id,
            id=ids.of_order(order.id),
            number=order.number,
            status=OrderStatus(order.status.value),
            lines=_lines(order.lines, order.currency),
            total=Money.of(order.total.minor, order.currency),
            refunds=[Refund.of(order, refund) for refund in shown_refunds(order)],
            refunded=Money.of(refunded_minor(order), order.currency),
            customer_name=order.customer.name,
            customer_email=order.customer.email,
            created_at=order.created_at,
            cancel_requested_at=order.payment.cancel_requested_at if order.payment else None,
            version=order.version,
            epoch=ids.DATABASE_EPOCH,
        )

    @computed(
        "What you need to pay the order. For its owner; null with a top-level error for others. "
        "Null if there is nothing to pay, or until the provider has answered; `orderUpdated` then "
        "delivers it."
    )
    def payment(self, info: Info) -> PaymentAttempt | None:
        attempt = find_payable_attempt(info.context, self.order)
        return PaymentAttempt.of(attempt, owner=self.person_id) if attempt else None

    @computed(
        "The tickets, including void ones and those that were passed on. Empty until the order is paid.", name="tickets"
    )
    def tickets_(self) -> list[Ticket]:
        return [Ticket.of(self.order, ticket, organizer_id=self.organizer_id) for ticket in self.order.tickets]

    @computed("A document with the valid tickets of this order that you hold. Null if you hold none.")
    def document(self, info: Info) -> TicketDocument | None:
        found = make_document_links(info.context, self.order)
        return TicketDocument.of(found) if found else None

    @computed("The concert. Null with a top-level error if the catalog is unavailable.")
    async def concert(self, info: Info) -> Concert | None:
        return await load_concert(info.context, self.concert_id)

    @computed(
        "The hold that was bought. Null thirty days after the concert, and with a top-level error if the store is"
        " unavailable."
    )
    async def hold(self, info: Info) -> Hold | None:
        try:
            found = await holds.get_hold(info.context, self.concert_id, HoldId(self.order.id))
        except NotFound:
            # The concert is past.
            return None
        return Hold.of(found, self.order.currency, organizer_id=self.organizer_id) if found else None


def _lines(lines: Iterable[domain.holds.TicketLine], currency: CurrencyCode) -> list[TicketLine]:
    return [TicketLine.of(line, currency) for line in lines]


async def load_order(context: Context, order_id: OrderId) -> Order | None:
    found = await resolve.get_order(context, order_id)
    return await build_order(context, found) if found else None


async def build_order(context: Context, order: domain.orders.Order) -> Order:
    """Return the order, visible to its owner and to the organizer of its concert."""
    return Order.of(order, organizer_id=await find_organizer(context, order.concert_id, owner=order.person_id))


async def find_order(info: Info, id_: Annotated[strawberry.ID, ID]) -> Order | None:
    return await load_order(info.context, OrderId(ids.argument("id", id_, Kind.ORDER).parts[0]))
