"""The check-in of a ticket at the gate, as a pure function of its order.

The first scan wins. A scanner that was offline has already admitted the person, so its scans are
recorded even if another scanner admitted a second person with the same ticket: the earlier scan
becomes the check-in, the later one becomes a duplicate, and the caller raises an alarm. The scan of
a revoked code is refused but also recorded. A repeated scan, recognized by its id, gets the same
answer as before.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from domain.ids import PersonId, TicketId, Unit, ticket_id
from domain.orders import Order
from domain.payments.conclusion import CHECKED_IN, DEAD_CODE_ADMITTED, conclude
from domain.tickets.state import TicketState, ticket_state
from domain.tickets.ticket import CheckIn, DeadScan, Duplicate, ScanProblem, Ticket

MAX_DUPLICATES = 10
"""The number of duplicates that a ticket keeps, so that a code that was copied a thousand times
does not fill its order. Each duplicate that is kept has raised an alarm.
"""
MAX_DEAD_SCANS = 10
"""The number of scans of revoked codes that a ticket keeps, for the same reason."""
_DEAD = (ScanProblem.TICKET_VOID, ScanProblem.TICKET_SUSPENDED, ScanProblem.REPLACED)


class ScanOutcome(StrEnum):
    ADMITTED = "ADMITTED"
    ALREADY_CHECKED_IN = "ALREADY_CHECKED_IN"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class ScannedTicket:
    """The ticket that a genuine code names."""

    id: TicketId
    generation: int


@dataclass(frozen=True, slots=True)
class Scan:
    scan_id: str
    scanned_at: datetime
    device_id: str
    by: PersonId
    was_offline: bool
    """Whether the scanner admitted the person before it could ask."""


@dataclass(frozen=True, slots=True)
class ScanAnswer:
    outcome: ScanOutcome
    problem: ScanProblem | None = None
    """None unless the scan was refused."""
    check_in: CheckIn | None = None
    """The check-in that counts, which may come from another scan. None if the scan was refused."""
    unit: Unit | None = None
    """None if the code does not belong to a ticket in the order."""
    is_new_duplicate: bool = False
    """Whether this scan is the first to show that two people were admitted with the ticket."""
    is_new_dead_scan: bool = False
    """Whether this scan is the first to show that a person was admitted with a revoked code."""


def refused(problem: ScanProblem, unit: Unit | None = None) -> ScanAnswer:
    return ScanAnswer(ScanOutcome.REFUSED, problem, unit=unit)


def check_in(order: Order, scanned: ScannedTicket, scan: Scan, now: datetime) -> tuple[Order, ScanAnswer]:
    """Return the order with the scan recorded, and the answer to the scanner.

    The same order is returned if the scan changes nothing.
    """
    changed, answers = check_in_all(order, [(0, scanned, scan)], now)
    return changed, answers[0]


def check_in_all(
    order: Order, scans: Iterable[tuple[int, ScannedTicket, Scan]], now: datetime
) -> tuple[Order, dict[int, ScanAnswer]]:
    """Record several scans of tickets of one order, earliest first, as one change. Return the
    order, and the answers by the index of the scan.
    """
    tickets = {ticket_id(order.id, ticket.unit): ticket for ticket in order.tickets}
    answers = dict[int, ScanAnswer]()

    def place(one: tuple[int, ScannedTicket, Scan]) -> tuple[datetime, int]:
        return _plausible_time(one[2].scanned_at, order, now), one[0]

    for number, scanned, scan in sorted(scans, key=place):
        ticket = tickets.get(scanned.id)
        if ticket is None:
            answers[number] = refused(ScanProblem.UNKNOWN_TICKET)
        else:
            tickets[scanned.id], answers[number] = _scan_ticket(order, ticket, scanned.generation, scan, now)
    changed = replace(order, tickets=tuple(tickets.values()))
    is_refused = all(answer.problem is not None for answer in answers.values())
    return conclude(order, changed, now, kind=DEAD_CODE_ADMITTED if is_refused else CHECKED_IN), answers


def _scan_ticket(order: Order, ticket: Ticket, generation: int, scan: Scan, now: datetime) -> tuple[Ticket, ScanAnswer]:
    known = _find_answer(ticket, scan.scan_id)
    if known is not None:
        return ticket, known
    problem = _problem_of(order, ticket, generation)
    new = CheckIn(scan.scan_id, _plausible_time(scan.scanned_at, order, now), scan.device_id, scan.by, now)
    if problem is not None:
        return _refuse(ticket, DeadScan(new, generation, problem), scan.was_offline)
    if ticket.check_in is None:
        return replace(ticket, check_in=new), _admitted(ticket, new)
    return _scan_again(ticket, ticket.check_in, new, scan.was_offline)


def _refuse(ticket: Ticket, dead: DeadScan, was_offline: bool) -> tuple[Ticket, ScanAnswer]:
    """Refuse the scan, and record it if its scanner has admitted the person with a revoked code."""
    answer = refused(dead.problem, ticket.unit)
    if not was_offline or dead.problem not in _DEAD or len(ticket.dead_scans) >= MAX_DEAD_SCANS:
        return ticket, answer
    return replace(ticket, dead_scans=(*ticket.dead_scans, dead)), replace(answer, is_new_dead_scan=True)


def _find_answer(ticket: Ticket, scan_id: str) -> ScanAnswer | None:
    dead = next((one for one in ticket.dead_scans if one.scan.scan_id == scan_id), None)
    if dead is not None:
        return refused(dead.problem, ticket.unit)
    if ticket.check_in is None:
        return None
    if ticket.check_in.scan_id == scan_id:
        return _admitted(ticket, ticket.check_in)
    duplicate = next((one for one in ticket.duplicates if one.scan.scan_id == scan_id), None)
    if duplicate is None:
        return None
    return _admitted(ticket, duplicate.scan) if duplicate.was_admitted else _already(ticket, ticket.check_in)


def _problem_of(order: Order, ticket: Ticket, generation: int) -> ScanProblem | None:
    match ticket_state(order, ticket):
        case TicketState.VOID:
            return ScanProblem.TICKET_VOID
        case TicketState.SUSPENDED:
            return ScanProblem.TICKET_SUSPENDED
    if generation > ticket.generation:
        return ScanProblem.UNKNOWN_TICKET
    return ScanProblem.REPLACED if generation < ticket.generation else None


def _scan_again(ticket: Ticket, first: CheckIn, new: CheckIn, was_offline: bool) -> tuple[Ticket, ScanAnswer]:
    """Record another scan of a checked-in ticket, if its scanner has admitted the person."""
    if not was_offline or len(ticket.duplicates) >= MAX_DUPLICATES:
        return ticket, _already(ticket, first)
    if new.scanned_at < first.scanned_at:
        duplicates = (*ticket.duplicates, Duplicate(first, was_admitted=True))
        answer = replace(_admitted(ticket, new), is_new_duplicate=True)
        return replace(ticket, check_in=new, duplicates=duplicates), answer
    answer = replace(_already(ticket, first), is_new_duplicate=True)
    return replace(ticket, duplicates=(*ticket.duplicates, Duplicate(new, was_admitted=False))), answer


def _plausible_time(scanned_at: datetime, order: Order, now: datetime) -> datetime:
    """Return the time of the scan, or the current time if the scanner's clock is wrong: a ticket
    cannot be scanned before it is bought, or in the future.
    """
    return scanned_at if order.created_at <= scanned_at <= now else now


def _admitted(ticket: Ticket, scan: CheckIn) -> ScanAnswer:
    return ScanAnswer(ScanOutcome.ADMITTED, check_in=scan, unit=ticket.unit)


def _already(ticket: Ticket, first: CheckIn) -> ScanAnswer:
    return ScanAnswer(ScanOutcome.ALREADY_CHECKED_IN, check_in=first, unit=ticket.unit)
