"""The schema type for ticket documents."""

from datetime import datetime
from typing import Self

import strawberry

from resolvers.tickets.documents import DocumentLinks


@strawberry.type(
    description=(
        "A document with tickets that you hold, and a calendar file. The links last five minutes and need no"
        " access token, so keep them out of logs. It is in the language of the order; append `&locale=en` or"
        " `&locale=de` for another one. A download is refused with HTTP 410 if one of the tickets "
        "has become invalid or has been given a new code since the link was made."
    )
)
class TicketDocument:
    pdf_url: str = strawberry.field(description="The URL of a PDF with a page for each ticket.")
    calendar_url: str = strawberry.field(description="The URL of the concert as a calendar file (iCalendar).")
    expires_at: datetime = strawberry.field(description="When the links expire.")
    ticket_count: int = strawberry.field(description="The number of tickets in the document.")

    @classmethod
    def of(cls, links: DocumentLinks) -> Self:
        return cls(
            pdf_url=links.pdf_url,
            calendar_url=links.calendar_url,
            expires_at=links.expires_at,
            ticket_count=len(links.tickets),
        )
