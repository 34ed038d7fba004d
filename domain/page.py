"""One page of a longer list; each item has the cursor that continues after it."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    items: tuple[T, ...]
    cursors: tuple[str, ...]
    """Opaque keyset cursors, one per item. Items inserted before them do not invalidate them."""
    has_next_page: bool
    has_previous_page: bool
