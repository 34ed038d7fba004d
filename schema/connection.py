"""Relay connections. Strawberry's built-in ones leave `nodes` empty if only `nodes` is selected."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, Self, TypeAlias, TypeVar, cast, overload

import strawberry

from domain.errors import BadUserInput
from domain.page import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, Page

T = TypeVar("T")
Item = TypeVar("Item")

First: TypeAlias = Annotated[int | None, strawberry.argument(description=f"The page size, 1 to {MAX_PAGE_SIZE}.")]
After: TypeAlias = Annotated[str | None, strawberry.argument(description="A cursor. The page starts after its item.")]


@strawberry.type(description="The position of a page in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there are items after this page.")
    has_previous_page: bool = strawberry.field(description="Whether there are items before this page.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first item. Null if the page is empty.")
    end_cursor: str | None = strawberry.field(
        description="The cursor of the last item; pass it as `after` to get the next page."
    )


@strawberry.type(description="One item of a list, with its cursor.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="An opaque cursor. It stays valid when items are added before it.")
    node: T = strawberry.field(description="The item.")


@strawberry.type(description="One page of a list. Select `nodes`, or `edges` if you need the cursor of each item.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="The items with their cursors.")
    nodes: list[T] = strawberry.field(description="The items.")
    page_info: PageInfo = strawberry.field(description="The position of this page in the list.")

    @classmethod
    def of(cls, page: Page[Item], show: Callable[[Item], T]) -> Self:
        edges = list(zip(page.cursors, page.items, strict=True))
        return cls(
            edges=cast("list[Edge[T]]", ShownList(edges, lambda edge: Edge(cursor=edge[0], node=show(edge[1])))),
            nodes=cast("list[T]", ShownList(page.items, show)),
            page_info=_page_info(page),
        )


class ShownList(Sequence[T]):
    """The objects of a page, each built on access, because a page is completed in time slices."""

    def __init__(self, items: Sequence[Any], show: Callable[[Any], T]) -> None:
        self._items = items
        self._show = show

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...

    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            return [self._show(item) for item in self._items[index]]
        return self._show(self._items[index])


def _page_info(page: Page[Item]) -> PageInfo:
    return PageInfo(
        has_next_page=page.has_next_page,
        has_previous_page=page.has_previous_page,
        start_cursor=page.cursors[0] if page.cursors else None,
        end_cursor=page.cursors[-1] if page.cursors else None,
    )


def page_size(first: int | None) -> int:
    """Return the page size of a connection. Raises BadUserInput."""
    if first is None:
        return DEFAULT_PAGE_SIZE
    if not 1 <= first <= MAX_PAGE_SIZE:
        raise BadUserInput(f"`first` is {first}; request 1 to {MAX_PAGE_SIZE} items, and the next page with `after`.")
    return first
