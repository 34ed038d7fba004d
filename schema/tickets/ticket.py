"""The ticket type of the schema. A ticket shows the state of the order that it was read with."""

import asyncio
from datetime import UTC, datetime
from typing import Self

import strawberry

import domain.orders
import domain.tickets.ticket
from domain.ids import ConcertId, PersonId, TicketId, ticket_id, tier_of
from domain.tickets.state import ticket_state
from domain.tickets.transfers import pending_transfer
from resolvers.context import Context
from resolvers.tickets import tickets as resolve
from resolvers.tickets.documents import make_document_links
from schema import ids
from schema.catalog.tiers import Tier, load_tier
from schema.concerts import Concert, load_concert
from schema.enums import TicketState
from schema.strawberry_fixes import Info, computed
from schema.tickets.check_ins import CheckIn, DeadCodeScan, TicketTransfer
from schema.tickets.document import TicketDocument
from tickets.qr import draw_qr


@strawberry.type(description="A ticket, which admits one person. It belongs to its holder.")
class Ticket(ids.Node):
    order: strawberry.Private[domain.orders.Order]
    ticket: strawberry.Private[domain.tickets.ticket.Ticket]
    person_id: strawberry.Private[PersonId]
    buyer_id: strawberry.Private[PersonId]
    organizer_id: strawberry.Private[PersonId | None]
    gate_people: strawberry.Private[tuple[PersonId, ...]]
    state: TicketState = strawberry.field(description="Whether the ticket is valid.")
    generation: int = strawberry.field(
        description="Increases when the ticket gets a new code. Codes of earlier generations are no longer valid."
    )
    holder_name: str = strawberry.field(description="The name of the person whom the ticket admits.")
    order_number: str = strawberry.field(description="The number of the order that bought the ticket.")
    check_in: CheckIn | None = strawberry.field(description="When and where the holder was admitted. Null before that.")
    duplicate_scans: list[CheckIn] = strawberry.field(
        description="Scans that admitted further people with this ticket, because a scanner was offline."
    )
    dead_code_scans: list[DeadCodeScan] = strawberry.field(
        description=(
            "Scans that admitted people with a revoked code of this ticket, because a scanner was offline. At most"
            " ten are kept."
        )
    )
    version: int = strawberry.field(description="The version of its order, which increases with every change.")
    epoch: int = strawberry.field(description="See `Order.epoch`.")

    @classmethod
    def of(
        cls,
        order: domain.orders.Order,
        ticket: domain.tickets.ticket.Ticket,
        *,
        organizer_id: PersonId | None = None,
        gate_people: tuple[PersonId, ...] = (),
    ) -> Self:
        """Return the ticket. Without staff, only its holder, its buyer and admins may see it."""
        return cls(
            order=order,
            ticket=ticket,
            person_id=ticket.holder_id,
            buyer_id=order.person_id,
            organizer_id=organizer_id,
            gate_people=gate_people,
            id=ids.of_ticket(order.concert_id, ticket_id(order.id, ticket.unit)),
            state=ticket_state(order, ticket),
            generation=ticket.generation,
            holder_name=ticket.holder_name,
            order_number=order.number,
            check_in=CheckIn.of(ticket.check_in) if ticket.check_in else None,
            duplicate_scans=[CheckIn.of(duplicate.scan) for duplicate in ticket.duplicates],
            dead_code_scans=[DeadCodeScan.of(dead) for dead in ticket.dead_scans],
            version=order.version,
            epoch=ids.DATABASE_EPOCH,
        )

    @computed("Your offer to pass the ticket on. Null if there is none, or if you are not the holder.")
    def transfer(self, info: Info) -> TicketTransfer | None:
        if info.context.viewer is None or info.context.viewer.person_id != self.ticket.holder_id:
            return None
        pending = pending_transfer(self.ticket, datetime.now(UTC))
        return TicketTransfer.of(pending) if pending else None

    @computed("The tier, even if it was hidden later. Null with a top-level error if the catalog is unavailable.")
    async def tier(self, info: Info) -> Tier | None:
        return await load_tier(info, tier_of(self.ticket.unit))

    @computed("The concert. Null with a top-level error if the catalog is unavailable.")
    async def concert(self, info: Info) -> Concert | None:
        return await load_concert(info.context, self.order.concert_id)

    @computed(
        "The text of the QR code to show at the gate. Null if you are not the holder or the ticket is not valid. Keep"
        " it out of logs and URLs."
    )
    async def code(self, info: Info) -> str | None:
        return await resolve.show_code(info.context, self.order, self.ticket)

    @computed("The code as an SVG image that scales to any size. Null whenever `code` is.")
    async def qr_svg(self, info: Info) -> str | None:
        code = await resolve.show_code(info.context, self.order, self.ticket)
        # In a thread, so that other requests do not wait several milliseconds for each ticket.
        return await asyncio.to_thread(draw_qr, code) if code else None

    @computed("A document with only this ticket. Null if you are not the holder or the ticket is not valid.")
    def document(self, info: Info) -> TicketDocument | None:
        found = make_document_links(info.context, self.order, ticket_id(self.order.id, self.ticket.unit))
        return TicketDocument.of(found) if found else None


async def build_ticket(context: Context, order: domain.orders.Order, ticket: domain.tickets.ticket.Ticket) -> Ticket:
    """Return the ticket, visible to its holder, its buyer, and the staff of its concert."""
    organizer_id, gate_people = await resolve.find_staff(context, order, ticket)
    return Ticket.of(order, ticket, organizer_id=organizer_id, gate_people=gate_people)


async def load_ticket(context: Context, concert_id: ConcertId, id_: TicketId) -> Ticket | None:
    found = await resolve.get_ticket(context, concert_id, id_)
    return await build_ticket(context, found.order, found.ticket) if found else None
