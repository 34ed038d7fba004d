"""The files in mails: a PDF with the valid tickets of one holder, and a calendar file."""

from collections.abc import Sequence

from domain.concerts import Concert
from domain.ids import PersonId
from domain.orders import Order
from mail.documents import Attachment
from tickets.documents.calendar_file import CALENDAR_TYPE, make_calendar
from tickets.documents.library import PDF_TYPE, DocumentLibrary
from tickets.documents.selection import valid_tickets


class AttachedDocuments:
    def __init__(self, library: DocumentLibrary) -> None:
        self._library = library

    async def documents_for(self, order: Order, concert: Concert, holder_id: PersonId) -> Sequence[Attachment]:
        """Return the files for the tickets of this holder, or none if the holder has no valid ones.

        Raises RenderFailed, which delays only this mail, or TemporarilyUnavailable.
        """
        tickets, locale = valid_tickets(order, holder_id), order.customer.locale
        if not tickets:
            return ()
        pdf = await self._library.pdf(order, concert, tickets, locale)
        return (
            Attachment(f"tickets-{order.number}.pdf", PDF_TYPE, pdf),
            Attachment(f"tickets-{order.number}.ics", CALENDAR_TYPE, make_calendar(order, concert, locale)),
        )
