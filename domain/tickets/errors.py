"""Refusals that concern tickets.

Refusal
├── TransferRefused      the ticket cannot be passed on, or the link of a transfer is not valid
├── AlreadyCheckedIn     another scan has admitted the holder of the ticket
└── ScanRefused          the code, or its ticket, is not valid for this concert
"""

from enum import StrEnum

from domain.errors import ErrorCode, Refusal
from domain.text.phrases import format_time
from domain.tickets.ticket import CheckIn, ScanProblem


class TransferProblem(StrEnum):
    NOT_HOLDER = "NOT_HOLDER"
    TICKET_VOID = "TICKET_VOID"
    TICKET_SUSPENDED = "TICKET_SUSPENDED"
    CHECKED_IN = "CHECKED_IN"
    TOO_OFTEN = "TOO_OFTEN"
    """The ticket has had too many holders."""
    LINK_NOT_VALID = "LINK_NOT_VALID"
    """The link is incomplete, or the transfer was canceled or replaced by a newer one."""
    LINK_USED = "LINK_USED"
    LINK_EXPIRED = "LINK_EXPIRED"
    WRONG_PERSON = "WRONG_PERSON"
    """The link was sent to an email address that is not the viewer's."""
    EMAIL_NOT_VERIFIED = "EMAIL_NOT_VERIFIED"
    """The viewer has this email address, but has not confirmed it to the issuer."""


class TransferRefused(Refusal):
    code = ErrorCode.TRANSFER_REFUSED

    def __init__(self, reason: TransferProblem) -> None:
        again = "ask the person who sent the ticket for a new link"
        super().__init__(
            {
                TransferProblem.NOT_HOLDER: "Another person holds this ticket; only its holder can pass it on.",
                TransferProblem.TICKET_VOID: "This ticket is no longer valid, because it was refunded; buy "
                "another one.",
                TransferProblem.TICKET_SUSPENDED: "The payment for this ticket is disputed; wait until the bank has"
                " decided.",
                TransferProblem.CHECKED_IN: "This ticket was checked in, so it can no longer be passed on.",
                TransferProblem.TOO_OFTEN: "This ticket has been passed on too often; keep it, or ask the organizer.",
                TransferProblem.LINK_NOT_VALID: "This link is incomplete, or was canceled or replaced; open "
                f"it again, or {again}.",
                TransferProblem.LINK_USED: f"Another person has used this link, and it works only once; {again}.",
                TransferProblem.LINK_EXPIRED: f"This link has expired; {again}.",
                TransferProblem.WRONG_PERSON: "This link was sent to an email address that is not yours; sign "
                f"in with the address at which you received it, or {again}.",
                TransferProblem.EMAIL_NOT_VERIFIED: "The email address of your account is not confirmed; confirm it"
                " where you manage your account, sign in again, and open the link once more.",
            }[reason]
        )
        self.reason = reason


class AlreadyCheckedIn(Refusal):
    """Another scan came first. `check_in` says when and where."""

    code = ErrorCode.ALREADY_CHECKED_IN

    def __init__(self, check_in: CheckIn) -> None:
        when = format_time(check_in.scanned_at)
        super().__init__(
            f"This ticket was already checked in at {when}, at {check_in.device_id}; do not admit a second person."
        )
        self.check_in = check_in


SCAN_MESSAGES = {
    ScanProblem.MALFORMED: "This is not a ticket code; scan the code again, and make sure that the whole code "
    "is visible.",
    ScanProblem.UNKNOWN_KEY: "This code was not signed by a key of this concert; do not admit the person.",
    ScanProblem.BAD_SIGNATURE: "The signature of this code is wrong; do not admit the person.",
    ScanProblem.OTHER_CONCERT: "This ticket is for another concert; tell the person where that concert takes place.",
    ScanProblem.EXPIRED: "This code has expired; check the date of the ticket.",
    ScanProblem.UNKNOWN_TICKET: "This ticket is genuine but unknown; ask the organizer.",
    ScanProblem.REPLACED: "This ticket has a newer code; ask the person for the newest version of the ticket.",
    ScanProblem.TICKET_VOID: "This ticket was refunded or canceled; do not admit the person.",
    ScanProblem.TICKET_SUSPENDED: "The payment for this ticket is disputed; do not admit the person.",
}


class ScanRefused(Refusal):
    code = ErrorCode.SCAN_REFUSED

    def __init__(self, reason: ScanProblem) -> None:
        super().__init__(SCAN_MESSAGES[reason])
        self.reason = reason
