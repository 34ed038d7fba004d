"""Checks the tickets of all orders: one valid code for each valid ticket, and none for a void one.

A code is valid if a gate with the concert's revocation list accepts it: every generation up to the
current one was signed, so each one that is not revoked would be accepted.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from domain.ids import TicketId, ticket_id
from domain.orders import Order
from domain.tickets.state import LIVING, TicketState, ticket_state, unit_state


def one_valid_code_per_living_ticket(orders: Sequence[Order]) -> Iterator[str]:
    """Yield the units of paid orders without exactly one ticket, and the tickets whose codes do
    not match their state.
    """
    revoked = Counter((one.ticket_id, one.generation) for order in orders for one in order.revocations)
    yield from (f"code {code} was revoked {count} times" for code, count in revoked.items() if count > 1)
    for order in orders:
        yield from _units(order)
        for ticket in order.tickets:
            id_, state = ticket_id(order.id, ticket.unit), ticket_state(order, ticket)
            accepted = _accepted(id_, ticket.generation, revoked)
            if accepted != ([ticket.generation] if state is TicketState.VALID else []):
                yield f"ticket {id_} of order {order.id} is {state}, but gates accept its generations {accepted}"


def _units(order: Order) -> Iterator[str]:
    issued = Counter(ticket.unit for ticket in order.tickets)
    yield from (f"order {order.id} has {count} tickets for {unit}" for unit, count in issued.items() if count > 1)
    if order.status in LIVING:
        for unit in order.units:
            if unit_state(order, unit) is not TicketState.VOID and unit not in issued:
                yield f"order {order.id} is {order.status}, but {unit} has no ticket"


def _accepted(id_: TicketId, generation: int, revoked: Counter[tuple[TicketId, int]]) -> list[int]:
    return [number for number in range(1, generation + 1) if (id_, number) not in revoked]
