"""The mutations that transfer tickets, and those that check them in at the gate."""

from datetime import datetime
from typing import Annotated, TypeAlias

import strawberry

from domain.text.email_addresses import email_problems
from domain.tickets.errors import SCAN_MESSAGES
from resolvers.context import Context
from resolvers.tickets import check_ins, transfers
from resolvers.tickets.check_ins import CodeScan, all_scan_problems, scan_problems
from schema.enums import ScanOutcome, ScanProblem
from schema.ids import IdReader
from schema.mutations.result_errors import (
    AlreadyCheckedInError,
    InvalidInputError,
    NotFoundError,
    RateLimitedError,
    ScanRefusedError,
    TemporarilyUnavailableError,
    TransferRefusedError,
)
from schema.strawberry_fixes import INPUT, Info
from schema.tickets.check_ins import CheckIn
from schema.tickets.ticket import Ticket, build_ticket


@strawberry.input(description="The ticket to pass on, and the address of its recipient.")
class TransferTicketInput:
    ticket_id: strawberry.ID = strawberry.field(description="The id of one of your tickets.")
    email: str = strawberry.field(
        description="The email address to which the link is sent. Only a person with this address can accept it."
    )


@strawberry.input(description="The ticket whose transfer is withdrawn.")
class CancelTicketTransferInput:
    ticket_id: strawberry.ID = strawberry.field(description="The id of one of your tickets.")


@strawberry.input(description="The link of a ticket transfer.")
class AcceptTicketTransferInput:
    token: str = strawberry.field(description="The part of the link after the `#`.")
    holder_name: str | None = strawberry.field(
        default=None,
        description=(
            "Your name on the ticket: one line of at most 200 characters. The default is the name of your account."
        ),
    )


@strawberry.input(description="A scan of a ticket code by a scanner that is online.")
class CheckInTicketInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")
    code: str = strawberry.field(description="The text of the QR code, as it was scanned.")
    device_id: str = strawberry.field(
        description="The name of the scanner, such as `north gate 2`. It is shown if the ticket is scanned again."
    )
    scan_id: str = strawberry.field(
        description=(
            "A unique id of this scan, chosen by you, such as a UUID. Repeating the request with "
            "the same id returns the same answer."
        )
    )


@strawberry.input(description="A scan by a scanner that was offline.")
class ScanInput:
    code: str = strawberry.field(description="The text of the QR code, as it was scanned.")
    scanned_at: datetime = strawberry.field(
        description=(
            "When the person was admitted, by the scanner's clock. An impossible time is replaced by the current time."
        )
    )
    device_id: str = strawberry.field(description="The name of the scanner.")
    scan_id: str = strawberry.field(description="A unique id of this scan, chosen by you, such as a UUID.")


@strawberry.input(description="The scans of scanners that were offline.")
class CheckInTicketsInput:
    concert_id: strawberry.ID = strawberry.field(description="The id of the concert.")
    scans: list[ScanInput] = strawberry.field(description="The scans, at most 500, in any order.")


@strawberry.type(
    description=(
        "The link was sent. The ticket stays yours until it is accepted, and `ticket.transfer` shows the offer."
        " Offering it to the same address again sends no second mail; a new address replaces the first one."
    )
)
class TransferTicketSuccess:
    ticket: Ticket = strawberry.field(description="The ticket.")


@strawberry.type(description="The link no longer works. Canceling a transfer twice has the same result.")
class CancelTicketTransferSuccess:
    ticket: Ticket = strawberry.field(description="The ticket.")


@strawberry.type(description="The ticket is yours and has a new code. The sender's code is no longer valid.")
class AcceptTicketTransferSuccess:
    ticket: Ticket = strawberry.field(description="The ticket.")


@strawberry.type(description="Admit the person: this is the first scan of the ticket.")
class CheckInTicketSuccess:
    ticket: Ticket = strawberry.field(description="The ticket.")
    check_in: CheckIn = strawberry.field(description="This scan, as it was recorded.")


@strawberry.type(description="The result of one scan.")
class ScanResult:
    scan_id: str = strawberry.field(description="The id of the scan.")
    outcome: ScanOutcome = strawberry.field(description="The outcome of the scan.")
    problem: ScanProblem | None = strawberry.field(description="Why the scan was refused. Null if it was not refused.")
    message: str | None = strawberry.field(
        description="What to do about a refused scan. Null if the scan was not refused."
    )
    check_in: CheckIn | None = strawberry.field(
        description="The scan that counts for the ticket: this one, or the earlier one. Null if the scan was refused."
    )
    ticket: Ticket | None = strawberry.field(
        description="The ticket. Null if the code does not belong to a ticket of this concert."
    )


@strawberry.type(description="The scans were recorded.")
class CheckInTicketsSuccess:
    results: list[ScanResult] = strawberry.field(description="One result for each scan, in the order of the scans.")


TransferTicketResult: TypeAlias = Annotated[
    TransferTicketSuccess
    | InvalidInputError
    | NotFoundError
    | TransferRefusedError
    | RateLimitedError
    | TemporarilyUnavailableError,
    strawberry.union(
        "TransferTicketResult", description="The result of `transferTicket`: success, or an expected error."
    ),
]
CancelTicketTransferResult: TypeAlias = Annotated[
    CancelTicketTransferSuccess
    | InvalidInputError
    | NotFoundError
    | TransferRefusedError
    | TemporarilyUnavailableError,
    strawberry.union(
        "CancelTicketTransferResult", description="The result of `cancelTicketTransfer`: success, or an expected error."
    ),
]
AcceptTicketTransferResult: TypeAlias = Annotated[
    AcceptTicketTransferSuccess | InvalidInputError | TransferRefusedError | TemporarilyUnavailableError,
    strawberry.union(
        "AcceptTicketTransferResult", description="The result of `acceptTicketTransfer`: success, or an expected error."
    ),
]
CheckInTicketResult: TypeAlias = Annotated[
    CheckInTicketSuccess
    | AlreadyCheckedInError
    | ScanRefusedError
    | InvalidInputError
    | NotFoundError
    | RateLimitedError
    | TemporarilyUnavailableError,
    strawberry.union(
        "CheckInTicketResult", description="The result of `checkInTicket`: success, or an expected error."
    ),
]
CheckInTicketsResult: TypeAlias = Annotated[
    CheckInTicketsSuccess | InvalidInputError | NotFoundError | RateLimitedError | TemporarilyUnavailableError,
    strawberry.union(
        "CheckInTicketsResult", description="The result of `checkInTickets`: success, or an expected error."
    ),
]


async def transfer_ticket(info: Info, input_: Annotated[TransferTicketInput, INPUT]) -> TransferTicketResult:
    reader = IdReader()
    concert_id, ticket_id = reader.ticket("ticketId", input_.ticket_id)
    reader.finish(email_problems("email", input_.email))
    found = await transfers.transfer_ticket(info.context, concert_id, ticket_id, input_.email)
    return TransferTicketSuccess(ticket=await build_ticket(info.context, found.order, found.ticket))


async def cancel_ticket_transfer(
    info: Info, input_: Annotated[CancelTicketTransferInput, INPUT]
) -> CancelTicketTransferResult:
    reader = IdReader()
    concert_id, ticket_id = reader.ticket("ticketId", input_.ticket_id)
    reader.finish()
    found = await transfers.cancel_ticket_transfer(info.context, concert_id, ticket_id)
    return CancelTicketTransferSuccess(ticket=await build_ticket(info.context, found.order, found.ticket))


async def accept_ticket_transfer(
    info: Info, input_: Annotated[AcceptTicketTransferInput, INPUT]
) -> AcceptTicketTransferResult:
    found = await transfers.accept_ticket_transfer(info.context, input_.token, input_.holder_name)
    return AcceptTicketTransferSuccess(ticket=await build_ticket(info.context, found.order, found.ticket))


async def check_in_ticket(info: Info, input_: Annotated[CheckInTicketInput, INPUT]) -> CheckInTicketResult:
    reader = IdReader()
    scan = CodeScan(input_.code, input_.scan_id, input_.device_id, scanned_at=None)
    concert_id = reader.concert("concertId", input_.concert_id)
    reader.finish(scan_problems("", scan))
    shown = await _show(info.context, await check_ins.check_in_ticket(info.context, concert_id, scan))
    assert shown.ticket is not None
    assert shown.check_in is not None
    return CheckInTicketSuccess(ticket=shown.ticket, check_in=shown.check_in)


async def check_in_tickets(info: Info, input_: Annotated[CheckInTicketsInput, INPUT]) -> CheckInTicketsResult:
    reader = IdReader()
    scans = [CodeScan(one.code, one.scan_id, one.device_id, one.scanned_at) for one in input_.scans]
    concert_id = reader.concert("concertId", input_.concert_id)
    reader.finish(all_scan_problems(scans))
    results = await check_ins.check_in_tickets(info.context, concert_id, scans)
    return CheckInTicketsSuccess(results=[await _show(info.context, result) for result in results])


async def _show(context: Context, result: check_ins.ScanResult) -> ScanResult:
    answer, found = result.answer, result.found
    return ScanResult(
        scan_id=result.scan.scan_id,
        outcome=answer.outcome,
        problem=answer.problem,
        message=SCAN_MESSAGES[answer.problem] if answer.problem else None,
        check_in=CheckIn.of(answer.check_in) if answer.check_in else None,
        ticket=await build_ticket(context, found.order, found.ticket) if found else None,
    )
