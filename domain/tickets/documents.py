"""Stored documents with tickets."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType

from domain.ids import ConcertId, OrderId

DocumentId = NewType("DocumentId", str)
"""A hash of everything that the document shows, so a document that differs has a different id."""


@dataclass(frozen=True, slots=True)
class DocumentOwner:
    """The order to which a document belongs."""

    concert_id: ConcertId
    order_id: OrderId


@dataclass(frozen=True, slots=True)
class TicketDocument:
    id: DocumentId
    owner: DocumentOwner
    pdf: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    """A stored document without its content."""

    id: DocumentId
    owner: DocumentOwner
    stored_at: datetime
