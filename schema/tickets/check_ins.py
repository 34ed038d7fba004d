"""The schema types for check-ins and transfers of tickets."""

from datetime import datetime
from typing import Self

import strawberry

import domain.tickets.ticket
from schema.enums import ScanProblem


@strawberry.type(description="A scan that admitted a person at the door.")
class CheckIn:
    scanned_at: datetime = strawberry.field(description="When the ticket was scanned, by the scanner's clock.")
    device_id: str = strawberry.field(description="The name of the scanner.")
    scan_id: str = strawberry.field(description="The id that the scanner gave the scan.")
    recorded_at: datetime = strawberry.field(
        description="When the scan reached the server; later than `scannedAt` if the scanner was offline."
    )

    @classmethod
    def of(cls, check_in: domain.tickets.ticket.CheckIn) -> Self:
        return cls(
            scanned_at=check_in.scanned_at,
            device_id=check_in.device_id,
            scan_id=check_in.scan_id,
            recorded_at=check_in.recorded_at,
        )


@strawberry.type(description="A scan that admitted a person with a revoked code, because the scanner was offline.")
class DeadCodeScan:
    scan: CheckIn = strawberry.field(description="The scan.")
    generation: int = strawberry.field(description="The generation of the code.")
    problem: ScanProblem = strawberry.field(description="Why the code was refused when the scan arrived.")

    @classmethod
    def of(cls, dead: domain.tickets.ticket.DeadScan) -> Self:
        return cls(scan=CheckIn.of(dead.scan), generation=dead.generation, problem=dead.problem)


@strawberry.type(description="An offer to pass a ticket on, which has not been accepted yet.")
class TicketTransfer:
    email: str = strawberry.field(description="The email address to which the link was sent.")
    requested_at: datetime = strawberry.field(description="When the ticket was offered.")
    expires_at: datetime = strawberry.field(description="When the link expires, by the server's clock.")

    @classmethod
    def of(cls, transfer: domain.tickets.ticket.Transfer) -> Self:
        return cls(email=transfer.email, requested_at=transfer.requested_at, expires_at=transfer.expires_at)
