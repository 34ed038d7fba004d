"""The effects of an order: work that a worker does soon after a change.

The change that causes an effect makes it due. The worker may repeat an effect that was done
already, so doing an effect twice has the result of doing it once.
"""

from datetime import datetime

from domain.orders import Order, OrderStatus
from domain.payments.payment import Effects, EffectState
from domain.payments.refunds import RefundState, refund_state, refunded_minor, shown_refunds

TICKETS = "tickets"
"""The transition that pays the order issues the tickets, so this is due only in orders of earlier
versions.
"""
DOCUMENT = "document"
MAIL = "mail"
SALES = "sales"
EFFECTS = (TICKETS, DOCUMENT, MAIL, SALES)

_ALIVE = frozenset({OrderStatus.PAID, OrderStatus.FULFILLED})


def due_effects(order: Order) -> tuple[str, ...]:
    """Return the effects that are due. All effects are due for a paid order that was written by a
    version without effects.
    """
    if order.status in _ALIVE and TICKETS not in order.effects.states:
        return EFFECTS
    return tuple(name for name, state in order.effects.states.items() if state is EffectState.DUE)


def effects_after(before: Order, after: Order) -> Effects:
    """Return the effects of an order whose tickets have been brought up to date.

    A paid order causes every effect. A refund causes a mail, even if the order was never paid
    correctly, and so do new codes after a dispute. If the sale has changed, it is counted again.

    An order without a mail effect has no refunds yet, or its refunds were made by an earlier
    version of Onsale; no mail is sent about those.
    """
    states = dict(after.effects.states)
    if after.status in _ALIVE and TICKETS not in states:
        states |= dict.fromkeys(EFFECTS, EffectState.DUE)
    if TICKETS in states:
        states[TICKETS] = EffectState.DONE
    if _refunds(after) != _refunds(before) or _renewals(after) > _renewals(before):
        states[MAIL] = EffectState.DUE
    if SALES in states and (_refunds(after), after.units) != (_refunds(before), before.units):
        states[SALES] = EffectState.DUE
    silent_refunds = after.effects.silent_refunds if MAIL in before.effects.states else _returned(before)
    effects = Effects(states, silent_refunds)
    return after.effects if effects == after.effects else effects


def effects_at(before: Order, after: Order, now: datetime) -> datetime | None:
    """Return when the worker must process an order after a change: at once if the change has
    caused an effect, otherwise as before the change.
    """
    due = due_effects(after)
    if not due:
        return None
    return before.effects_at if set(due) <= set(due_effects(before)) else now


def _returned(order: Order) -> tuple[int, ...]:
    """Return the numbers of the refunds whose money has been returned."""
    shown = shown_refunds(order)
    return tuple(refund.number for refund in shown if refund_state(order, refund) is RefundState.SUCCEEDED)


def _renewals(order: Order) -> int:
    return max((ticket.renewals for ticket in order.tickets), default=0)


def _refunds(order: Order) -> tuple[object, ...]:
    return (shown_refunds(order), refunded_minor(order))
