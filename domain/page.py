"""A page of a longer list, with a cursor for each item."""

from collections.abc import Sequence
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


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The items that a client wants: those after a cursor or, if `is_backward`, those before it.

    Without a cursor, the page is at the start or, if `is_backward`, at the end of the list.
    """

    size: int = DEFAULT_PAGE_SIZE
    cursor: str | None = None
    is_backward: bool = False

    @property
    def limit(self) -> int:
        """Return how many items to read: one more than the page shows, to see if more follow."""
        return self.size + 1

    def build(self, found: Sequence[tuple[str, T]]) -> Page[T]:
        """Return the page of the items found, each with its cursor, in the order of reading.

        A cursor means that there is an item on the other side of it.
        """
        shown, has_more = found[: self.size], len(found) > self.size
        in_order = tuple(reversed(shown)) if self.is_backward else tuple(shown)
        return Page(
            tuple(item for _, item in in_order),
            tuple(cursor for cursor, _ in in_order),
            has_next_page=self.cursor is not None if self.is_backward else has_more,
            has_previous_page=has_more if self.is_backward else self.cursor is not None,
        )
