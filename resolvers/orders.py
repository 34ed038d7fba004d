"""Resolvers for the order fields. They buy holds or ticket lines and read orders."""

from functools import partial
from itertools import chain

from domain.errors import NotFound, Refusal
from domain.holds import EndReason, TicketRequest
from domain.ids import HOUSE, ConcertId, HoldId, OrderId, fingerprint, hold_id
from domain.orders import Customer, Order
from domain.page import Page, PageRequest
from domain.text.cleaning import clean_customer
from domain.text.locales import Locale
from domain.validation import customer_problems, key_problems, raise_problems, ticket_line_problems
from resolvers.context import Context
from resolvers.holds import create_hold, fingerprint_parts
from resolvers.permissions import draft_raises, may_see
from resolvers.purchase import Purchase


async def purchase_hold(
    context: Context, concert_id: ConcertId, id_: HoldId, customer: Customer, idempotency_key: str
) -> Order:
    """Buy a hold, and return the order once a majority of the MongoDB members has recorded it. An
    order that costs money must then be paid for.

    A repeated request returns the current state of the order.
    """
    viewer = context.signed_in()
    raise_problems(chain(key_problems(idempotency_key), customer_problems(customer)))
    purchase = Purchase(
        concert_id=concert_id,
        hold_id=id_,
        person_id=viewer.person_id,
        customer=clean_customer(customer),
        key=fingerprint(viewer.person_id, concert_id, "purchaseTickets", idempotency_key),
        # The digest covers the request as it was sent, so a repeated request is recognized
        # regardless of the stored values.
        digest=fingerprint(id_, *_customer_parts(customer)),
        rates=context.call_limits.rates.purchases,
        address=context.address,
    )
    with draft_raises(partial(NotFound, "Hold", id_)):
        return await context.stores.detached_tasks.run(purchase.run(context.stores, context.payments))


async def purchase_lines(
    context: Context,
    concert_id: ConcertId,
    lines: tuple[TicketRequest, ...],
    customer: Customer,
    idempotency_key: str,
    queue_pass: str | None = None,
) -> Order:
    """Hold the tickets and buy the hold. Releases the hold if the purchase is refused and cannot be
    retried.
    """
    viewer = context.signed_in()
    raise_problems(
        chain(key_problems(idempotency_key), customer_problems(customer), ticket_line_problems(concert_id, lines)),
    )
    purchase = Purchase(
        concert_id=concert_id,
        hold_id=hold_id(viewer.person_id, concert_id, "purchaseTickets", idempotency_key),
        person_id=viewer.person_id,
        customer=clean_customer(customer),
        key=fingerprint(viewer.person_id, concert_id, "purchaseTickets", idempotency_key),
        digest=fingerprint(*fingerprint_parts(lines), *_customer_parts(customer)),
        rates=context.call_limits.rates.purchases,
        address=context.address,
    )
    return await context.stores.detached_tasks.run(_hold_and_run(context, purchase, lines, queue_pass))


def _customer_parts(customer: Customer) -> tuple[str, ...]:
    """Return the parts of a digest. English, the default, is left out, as in earlier versions."""
    is_default = customer.locale is Locale.EN
    return (customer.name, customer.email) if is_default else (customer.name, customer.email, customer.locale)


async def _hold_and_run(
    context: Context, purchase: Purchase, lines: tuple[TicketRequest, ...], queue_pass: str | None
) -> Order:
    await create_hold(context, purchase.hold_id, lines, digest=purchase.digest, queue_pass=queue_pass)
    try:
        return await purchase.run(context.stores, context.payments)
    except Refusal as refusal:
        if not refusal.retryable:
            await purchase.release_hold(context.stores, EndReason.REFUSED)
        raise


async def get_order(context: Context, order_id: OrderId) -> Order | None:
    """Return the order if the viewer owns it or organizes its concert; otherwise None.

    Also returns None for an order of the house account, which is bookkeeping.
    """
    order = await context.stores.orders.get(order_id)
    if order is None or order.person_id == HOUSE or not await may_see(context, order.concert_id, owner=order.person_id):
        return None
    return order


async def page_viewer_orders(context: Context, request: PageRequest) -> Page[Order]:
    """Return one page of the viewer's orders, newest first."""
    return await context.stores.orders.page_of_person(context.signed_in().person_id, request)
