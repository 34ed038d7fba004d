"""Resolvers for ticket documents: download links for the viewer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from domain.ids import TicketId
from domain.orders import Order
from domain.tickets.ticket import Ticket
from resolvers.context import Context
from tickets.documents.links import LASTS, DownloadLink, DownloadLinks
from tickets.documents.selection import tickets_digest, valid_tickets


@dataclass(frozen=True, slots=True)
class DocumentLinks:
    """The URLs of a document and of its calendar file, which anyone who has them may download."""

    pdf_url: str = field(repr=False)
    calendar_url: str = field(repr=False)
    expires_at: datetime
    tickets: Sequence[Ticket]


def make_document_links(context: Context, order: Order, only: TicketId | None = None) -> DocumentLinks | None:
    """Return links to a document with the viewer's valid tickets of an order, or with only one of
    them. Return None if the viewer has no valid ticket.

    Raises TemporarilyUnavailable in a process without ticket keys.
    """
    tickets = valid_tickets(order, context.viewer.person_id, only) if context.viewer else ()
    if context.viewer is None or not tickets:
        return None
    # The link has whole seconds, too.
    expires_at = datetime.now(UTC).replace(microsecond=0) + LASTS
    link = DownloadLink(order.id, only, context.viewer.person_id, tickets_digest(order, tickets), expires_at)
    text = DownloadLinks(context.ticket_keys).sign(link)
    path = f"{context.site_url}/orders/{order.id}/tickets{'' if only is None else f'/{only}'}"
    return DocumentLinks(f"{path}.pdf?link={text}", f"{path}.ics?link={text}", expires_at, tickets)
