"""The viewer: the person identified by the token, and what their client needs after a reload."""

from typing import Self

import strawberry

import auth.viewer
from resolvers import holds, orders, queues
from resolvers.tickets import tickets
from schema import ids
from schema.connection import After, Before, Connection, First, Last, read_page_request
from schema.enums import Role
from schema.holds import Hold, build_hold
from schema.orders import Order
from schema.queues import QueueEntry
from schema.strawberry_fixes import Info, computed
from schema.tickets.ticket import Ticket


@strawberry.type(description="The viewer: the person the access token identifies.")
class Viewer(ids.Node):
    name: str = strawberry.field(description="Your name, from the access token.")
    email: str | None = strawberry.field(
        description="Your email address, from the access token. Null if the token has none."
    )
    roles: list[Role] = strawberry.field(description="Your roles.")

    @classmethod
    def of(cls, viewer: auth.viewer.Viewer) -> Self:
        return cls(id=ids.of_viewer(viewer.person_id), name=viewer.name, email=viewer.email, roles=sorted(viewer.roles))

    @computed("Your active holds. Null with a top-level error if the store is unavailable.", name="holds")
    async def holds_(self, info: Info) -> list[Hold] | None:
        found = await holds.list_viewer_holds(info.context)
        return [await build_hold(info.context, hold) for hold in found]

    @computed("Your active queue entries, one per concert. Null with a top-level error if the store is unavailable.")
    async def queue_entries(self, info: Info) -> list[QueueEntry] | None:
        return [QueueEntry.of(entry) for entry in await queues.list_viewer_entries(info.context)]

    @computed(("Your orders, newest first. Null with a top-level error if the database is unavailable."), name="orders")
    async def orders_(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Order] | None:
        request = read_page_request(first=first, after=after, last=last, before=before)
        page = await orders.page_viewer_orders(info.context, request)
        return Connection[Order].of(page, Order.of)

    @computed(
        (
            "The tickets that you hold, from the newest order to the oldest. Null with a top-level "
            "error if the database"
            " is unavailable."
        ),
        name="tickets",
    )
    async def tickets_(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Ticket] | None:
        request = read_page_request(first=first, after=after, last=last, before=before)
        page = await tickets.page_viewer_tickets(info.context, request)
        return Connection[Ticket].of(page, lambda found: Ticket.of(found.order, found.ticket))


async def find_viewer(info: Info) -> Viewer | None:
    return Viewer.of(info.context.signed_in())
