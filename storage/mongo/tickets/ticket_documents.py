"""The tickets and revocations of an order, as fields of its document.

The id of a ticket follows from its order and its unit. It is also stored, so that an index finds
the order of a scanned code. An order without tickets has neither field.
"""

from domain.ids import PersonId, TicketId, Unit, ticket_id
from domain.orders import Order
from domain.tickets.ticket import CheckIn, DeadScan, Duplicate, Revocation, ScanProblem, Ticket, Transfer
from storage.mongo.client import Document


def ticket_fields(order: Order) -> Document:
    fields: Document = {}
    if order.tickets:
        fields["tickets"] = [_ticket_document(order, ticket) for ticket in order.tickets]
    if order.revocations:
        fields["revocations"] = [
            {"ticketId": one.ticket_id, "generation": one.generation, "at": one.at} for one in order.revocations
        ]
    return fields


def tickets_from_document(document: Document) -> tuple[Ticket, ...]:
    return tuple(_ticket(ticket) for ticket in document.get("tickets", ()))


def revocations_from_document(document: Document) -> tuple[Revocation, ...]:
    return tuple(
        Revocation(TicketId(one["ticketId"]), one["generation"], one["at"]) for one in document.get("revocations", ())
    )


def _ticket_document(order: Order, ticket: Ticket) -> Document:
    return {
        "id": ticket_id(order.id, ticket.unit),
        "unit": ticket.unit,
        "generation": ticket.generation,
        "holderId": ticket.holder_id,
        "holderName": ticket.holder_name,
        "holderEmail": ticket.holder_email,
        "renewals": ticket.renewals,
        "checkIn": _check_in_document(ticket.check_in),
        "transfer": _transfer_document(ticket.transfer),
        "duplicates": [
            {"scan": _check_in_document(one.scan), "wasAdmitted": one.was_admitted} for one in ticket.duplicates
        ],
        "deadScans": [
            {"scan": _check_in_document(one.scan), "generation": one.generation, "problem": one.problem}
            for one in ticket.dead_scans
        ],
    }


def _ticket(document: Document) -> Ticket:
    check_in, transfer = document["checkIn"], document["transfer"]
    return Ticket(
        unit=Unit(document["unit"]),
        generation=document["generation"],
        holder_id=PersonId(document["holderId"]),
        holder_name=document["holderName"],
        holder_email=document.get("holderEmail"),
        renewals=document.get("renewals", 0),
        check_in=None if check_in is None else _check_in(check_in),
        transfer=None if transfer is None else _transfer(transfer),
        duplicates=tuple(
            Duplicate(_check_in(one["scan"]), one["wasAdmitted"]) for one in document.get("duplicates", ())
        ),
        dead_scans=tuple(
            DeadScan(_check_in(one["scan"]), one["generation"], ScanProblem(one["problem"]))
            for one in document.get("deadScans", ())
        ),
    )


def _check_in_document(check_in: CheckIn | None) -> Document | None:
    if check_in is None:
        return None
    return {
        "scanId": check_in.scan_id,
        "scannedAt": check_in.scanned_at,
        "deviceId": check_in.device_id,
        "by": check_in.by,
        "recordedAt": check_in.recorded_at,
    }


def _check_in(document: Document) -> CheckIn:
    return CheckIn(
        scan_id=document["scanId"],
        scanned_at=document["scannedAt"],
        device_id=document["deviceId"],
        by=PersonId(document["by"]),
        recorded_at=document["recordedAt"],
    )


def _transfer_document(transfer: Transfer | None) -> Document | None:
    if transfer is None:
        return None
    return {
        "secretDigest": transfer.secret_digest,
        "email": transfer.email,
        "requestedAt": transfer.requested_at,
        "expiresAt": transfer.expires_at,
        "acceptedAt": transfer.accepted_at,
    }


def _transfer(document: Document) -> Transfer:
    return Transfer(
        secret_digest=document["secretDigest"],
        email=document["email"],
        requested_at=document["requestedAt"],
        expires_at=document["expiresAt"],
        accepted_at=document.get("acceptedAt"),
    )
