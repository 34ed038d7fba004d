"""The tickets of an order, which are stored in the order itself.

Every change to a ticket is therefore a compare-and-set of its order, and a check-in, a transfer and
a refund of one ticket never involve two documents.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain.ids import PersonId, TicketId, Unit


class ScanProblem(StrEnum):
    MALFORMED = "MALFORMED"
    """The text is not a whole ticket code."""
    UNKNOWN_KEY = "UNKNOWN_KEY"
    BAD_SIGNATURE = "BAD_SIGNATURE"
    """The code is forged or altered."""
    OTHER_CONCERT = "OTHER_CONCERT"
    EXPIRED = "EXPIRED"
    UNKNOWN_TICKET = "UNKNOWN_TICKET"
    """The code is genuine, but its order is missing, for example after a backup was restored."""
    REPLACED = "REPLACED"
    """The ticket has a newer code, because it was passed on or issued again."""
    TICKET_VOID = "TICKET_VOID"
    TICKET_SUSPENDED = "TICKET_SUSPENDED"


@dataclass(frozen=True, slots=True)
class CheckIn:
    """A scan that admitted a person with a ticket."""

    scan_id: str
    """The id that the scanner gave the scan. A repeated scan has the same id."""
    scanned_at: datetime
    """The time by the scanner's clock. The scanner may have been offline."""
    device_id: str
    by: PersonId
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A scan that admitted a second person with the ticket. It does not count as the check-in."""

    scan: CheckIn
    was_admitted: bool
    """The answer to the scan. A scan made earlier may be recorded later, and then counts instead.
    """


@dataclass(frozen=True, slots=True)
class DeadScan:
    """A scan that admitted a person with a revoked code, because the scanner was offline."""

    scan: CheckIn
    generation: int
    """The generation of the code."""
    problem: ScanProblem
    """The answer to the scan: why the code was refused when the scan arrived."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """An offer to pass a ticket on. The ticket stays with its holder until it is accepted."""

    secret_digest: str = field(repr=False)
    """The fingerprint of the secret in the link. The secret itself is never stored."""
    email: str = field(repr=False)
    requested_at: datetime
    expires_at: datetime
    accepted_at: datetime | None = None
    """Set when the offer was accepted. An accepted offer cannot be used again."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket of an order. Its state is not stored, but derived: see `domain.tickets.state`."""

    unit: Unit
    generation: int
    """Starts at 1. Only the code of the latest generation is valid."""
    holder_id: PersonId
    holder_name: str
    check_in: CheckIn | None = None
    transfer: Transfer | None = None
    """The newest offer, even if it was accepted or has expired; None if it was withdrawn."""
    holder_email: str | None = field(default=None, repr=False)
    """The address at which a holder who is not the buyer accepted the ticket. A later offer of the
    ticket does not change this address.
    """
    duplicates: tuple[Duplicate, ...] = ()
    """In the order in which they were recorded."""
    renewals: int = 0
    """How many times the ticket got a new code after a dispute was won, counted since its holder
    got it.
    """
    dead_scans: tuple[DeadScan, ...] = ()
    """In the order in which they were recorded."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """A ticket code that must no longer be accepted. Revocations are never removed."""

    ticket_id: TicketId
    generation: int
    at: datetime
