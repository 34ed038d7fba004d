"""Relay connections of our own: Strawberry's leave `nodes` empty when they are asked for alone."""

from collections.abc import Callable
from typing import Annotated, Generic, Self, TypeAlias, TypeVar

import strawberry

from domain.errors import BadUserInput
from domain.page import MAX_PAGE_SIZE, Page

T = TypeVar("T")
Item = TypeVar("Item")

DEFAULT_PAGE_SIZE = 20

First: TypeAlias = Annotated[int | None, strawberry.argument(description=f"How many items, 1 to {MAX_PAGE_SIZE}.")]
After: TypeAlias = Annotated[str | None, strawberry.argument(description="A cursor: the page behind that item.")]


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None = strawberry.field(description="Pass it as `after` for the next page.")


@strawberry.type(description="One item of a list and its place in it.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="Opaque; it stays good when items are added before it.")
    node: T


@strawberry.type(description="One page of a list. Ask for `nodes`, or for `edges` where each item's cursor matters.")
class Connection(Generic[T]):
    edges: list[Edge[T]]
    nodes: list[T]
    page_info: PageInfo

    @classmethod
    def of(cls, page: Page[Item], show: Callable[[Item], T]) -> Self:
        nodes = [show(item) for item in page.items]
        edges = [Edge(cursor=cursor, node=node) for cursor, node in zip(page.cursors, nodes, strict=True)]
        return cls(edges=edges, nodes=nodes, page_info=_page_info(page))


def _page_info(page: Page[Item]) -> PageInfo:
    return PageInfo(
        has_next_page=page.has_next_page,
        has_previous_page=page.has_previous_page,
        start_cursor=page.cursors[0] if page.cursors else None,
        end_cursor=page.cursors[-1] if page.cursors else None,
    )


def page_size(first: int | None) -> int:
    """Raises BadUserInput."""
    if first is None:
        return DEFAULT_PAGE_SIZE
    if not 1 <= first <= MAX_PAGE_SIZE:
        raise BadUserInput(f"`first` is {first}; request 1 to {MAX_PAGE_SIZE} items, and the next page with `after`.")
    return first
