"""The documents of an order that are attached to its mails, and their source."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from domain.concerts import Concert
from domain.ids import PersonId
from domain.orders import Order


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in a mail."""

    name: str
    media_type: str
    """For example `application/pdf`."""
    content: bytes = field(repr=False)


class OrderDocuments(Protocol):
    async def documents_for(self, order: Order, concert: Concert, holder_id: PersonId) -> Sequence[Attachment]:
        """Return the documents with the valid tickets of one holder, or no documents if the holder
        has no valid tickets. If this raises an error, the mail is tried again later.
        """


class NoDocuments:
    """Attaches nothing, so mails say where to find the tickets."""

    async def documents_for(self, order: Order, concert: Concert, holder_id: PersonId) -> Sequence[Attachment]:
        return ()
