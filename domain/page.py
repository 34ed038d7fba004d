"""A page of a longer list, with a cursor for each item."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    items: tuple[T, ...]
    cursors: tuple[str, ...]
    """Opaque keyset cursors, one per item. They stay valid when items are inserted before them."""
    has_next_page: bool
    has_previous_page: bool
