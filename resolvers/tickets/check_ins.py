"""Resolvers for the check-in of tickets by the gate staff of a concert.

All scans of a call are processed together: the codes are verified, one query finds the orders of
the genuine codes, and each order is changed once, with all of its scans.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from domain.ids import ConcertId, OrderId, TicketId, ticket_id
from domain.inputs.problems import FieldProblem, count_problem
from domain.orders import Order
from domain.text.characters import key_text_problems
from domain.tickets.check_ins import Scan, ScanAnswer, ScannedTicket, ScanOutcome, check_in_all, refused
from domain.tickets.errors import AlreadyCheckedIn, ScanRefused
from domain.tickets.ticket import ScanProblem
from domain.validation import raise_problems
from payments.saga.order_payments import now_ms
from resolvers.context import Context
from resolvers.permissions import get_concert_at_gate
from resolvers.tickets.changes import change_order
from resolvers.tickets.ticket_codes import read_codes
from storage.mongo.tickets.tickets import OrderTicket
from telemetry.alarms import Alarm, raise_alarm

log = logging.getLogger(__name__)

MAX_SCANS = 500
MAX_SCAN_ID = 64
MAX_DEVICE_ID = 64


@dataclass(frozen=True, slots=True)
class CodeScan:
    """A scan as the scanner sent it. The time is missing if the scanner is online and waits for the
    answer.
    """

    code: str
    scan_id: str
    device_id: str
    scanned_at: datetime | None


@dataclass(frozen=True, slots=True)
class ScanResult:
    scan: CodeScan
    answer: ScanAnswer
    found: OrderTicket | None
    """None if the code does not belong to a ticket of this concert."""


async def check_in_ticket(context: Context, concert_id: ConcertId, scan: CodeScan) -> ScanResult:
    """Check a ticket in, and return the result of the scan that admitted the person.

    Raises AlreadyCheckedIn, ScanRefused, NotFound, Forbidden or RateLimited.
    """
    raise_problems(scan_problems("", scan))
    (result,) = await _check_in(context, concert_id, [scan])
    answer = result.answer
    if answer.problem is not None:
        raise ScanRefused(answer.problem)
    if answer.outcome is ScanOutcome.ALREADY_CHECKED_IN:
        assert answer.check_in is not None
        raise AlreadyCheckedIn(answer.check_in)
    return result


async def check_in_tickets(context: Context, concert_id: ConcertId, scans: Sequence[CodeScan]) -> list[ScanResult]:
    """Record the scans of scanners that were offline, and return a result for each scan, in the
    same order.

    A bad code affects only its own result. Raises NotFound, Forbidden, RateLimited, or
    TemporarilyUnavailable. All scans can then be sent again; recorded ones get the same answers.
    """
    raise_problems(all_scan_problems(scans))
    return await _check_in(context, concert_id, scans)


def all_scan_problems(scans: Sequence[CodeScan]) -> Iterator[FieldProblem]:
    if not 1 <= len(scans) <= MAX_SCANS:
        message = f"has {len(scans)} scans; send 1 to {MAX_SCANS}"
        yield count_problem("scans", len(scans), message, lowest=1, highest=MAX_SCANS)
    yield from chain.from_iterable(
        scan_problems(f"scans.{number}.", scan) for number, scan in enumerate(scans[:MAX_SCANS])
    )


def scan_problems(path: str, scan: CodeScan) -> Iterator[FieldProblem]:
    """Yield the problems with the ids in a scan. A bad code is not a problem here: its own result
    reports it.
    """
    yield from key_text_problems(f"{path}scanId", scan.scan_id, longest=MAX_SCAN_ID)
    yield from key_text_problems(f"{path}deviceId", scan.device_id, longest=MAX_DEVICE_ID)


async def _check_in(context: Context, concert_id: ConcertId, scans: Sequence[CodeScan]) -> list[ScanResult]:
    context.call_limits.count_check_in(context.signed_in().person_id, context.address)
    concert = await get_concert_at_gate(context, concert_id)
    read = await read_codes(context, concert, [scan.code for scan in scans], now_ms())
    genuine = {number: one for number, one in enumerate(read) if isinstance(one, ScannedTicket)}
    answers = {number: refused(one) for number, one in enumerate(read) if isinstance(one, ScanProblem)}
    orders = await _find_orders(context, concert_id, {one.id for one in genuine.values()})
    by_order: dict[OrderId, list[int]] = {}
    for number, one in genuine.items():
        if one.id in orders:
            by_order.setdefault(orders[one.id].id, []).append(number)
        else:
            answers[number] = refused(ScanProblem.UNKNOWN_TICKET)
    changed = await asyncio.gather(
        *(
            _check_in_order(context, orders[genuine[numbers[0]].id], {n: (genuine[n], scans[n]) for n in numbers})
            for numbers in by_order.values()
        )
    )
    tickets: dict[int, OrderTicket] = {}
    for order, found in changed:
        answers |= found
        by_unit = {ticket.unit: OrderTicket(order, ticket) for ticket in order.tickets}
        tickets |= {number: by_unit[answer.unit] for number, answer in found.items() if answer.unit in by_unit}
    return [ScanResult(scan, answers[number], tickets.get(number)) for number, scan in enumerate(scans)]


async def _find_orders(context: Context, concert_id: ConcertId, ticket_ids: set[TicketId]) -> Mapping[TicketId, Order]:
    if not ticket_ids:
        return {}
    found = await context.stores.tickets.find_orders(concert_id, ticket_ids)
    return {ticket_id(order.id, ticket.unit): order for order in found for ticket in order.tickets}


async def _check_in_order(
    context: Context, order: Order, scans: Mapping[int, tuple[ScannedTicket, CodeScan]]
) -> tuple[Order, dict[int, ScanAnswer]]:
    """Record scans of tickets of one order, and return the stored order and the answers."""
    answers: dict[int, ScanAnswer] = {}
    by = context.signed_in().person_id

    def decide(order: Order) -> Order:
        now = now_ms()
        made = [
            (
                number,
                scanned,
                Scan(
                    scan.scan_id,
                    scan.scanned_at or now,
                    scan.device_id,
                    by,
                    was_offline=scan.scanned_at is not None,
                ),
            )
            for number, (scanned, scan) in scans.items()
        ]
        changed, found = check_in_all(order, made, now)
        answers.clear()
        answers.update(found)
        return changed

    order = await change_order(context, order, decide)
    for number, answer in answers.items():
        scanned, scan = scans[number]
        if answer.is_new_duplicate:
            _raise_alarm_of_duplicate(order, scanned.id, scan, answer)
        elif answer.is_new_dead_scan:
            text = f"ticket {scanned.id} of order {order.id} was admitted by {scan.device_id!r} (scan {scan.scan_id!r})"
            raise_alarm(log, Alarm.DEAD_CODE_ADMITTED, f"{text} with a code of generation {scanned.generation}")
    return order, answers


def _raise_alarm_of_duplicate(order: Order, id_: TicketId, scan: CodeScan, answer: ScanAnswer) -> None:
    first = answer.check_in
    assert first is not None
    raise_alarm(
        log,
        Alarm.CHECKED_IN_TWICE,
        f"ticket {id_} of order {order.id} was scanned by {scan.device_id!r} (scan "
        f"{scan.scan_id!r}), but the scan by {first.device_id!r} at "
        f"{first.scanned_at:%Y-%m-%dT%H:%M:%SZ} counts",
    )
