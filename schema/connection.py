"""Relay connections. Strawberry's built-in ones leave `nodes` empty if only `nodes` is selected."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, Self, TypeAlias, TypeVar, cast, overload

import strawberry

from domain.errors import BadUserInput
from domain.page import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, Page, PageRequest

T = TypeVar("T")
Item = TypeVar("Item")

First: TypeAlias = Annotated[
    int | None,
    strawberry.argument(
        description=(
            f"The page size, 1 to {MAX_PAGE_SIZE}, from the start of the list or after `after`. Null means"
            f" {DEFAULT_PAGE_SIZE}. Not allowed with `last` and `before`."
        )
    ),
]
After: TypeAlias = Annotated[str | None, strawberry.argument(description="A cursor. The page starts after its item.")]
Last: TypeAlias = Annotated[
    int | None,
    strawberry.argument(
        description=(
            f"The page size, 1 to {MAX_PAGE_SIZE}, from the end of the list or before `before`. The order of the items"
            " is the same. Not allowed with `first` and `after`."
        )
    ),
]
Before: TypeAlias = Annotated[
    str | None, strawberry.argument(description=("A cursor. The page ends just before its item."))
]


@strawberry.type(description="The position of a page in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there are items after this page.")
    has_previous_page: bool = strawberry.field(description="Whether there are items before this page.")
    start_cursor: str | None = strawberry.field(
        description="The cursor of the first item; pass it as `before` to get the previous page. Null if the page is"
        " empty."
    )
    end_cursor: str | None = strawberry.field(
        description="The cursor of the last item; pass it as `after` to get the next page. Null if the page is empty."
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


def read_page_request(*, first: int | None, after: str | None, last: int | None, before: str | None) -> PageRequest:
    """Return the page that the arguments of a connection ask for. Raises BadUserInput."""
    forward, backward = (first, after) != (None, None), (last, before) != (None, None)
    if forward and backward:
        raise BadUserInput(
            "Send `first` and `after` for the next page, or `last` and `before` for the previous one, not both."
        )
    if backward:
        return PageRequest(_page_size("last", last, "before"), before, is_backward=True)
    return PageRequest(_page_size("first", first, "after"), after)


def _page_size(name: str, size: int | None, cursor: str) -> int:
    if size is None:
        return DEFAULT_PAGE_SIZE
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise BadUserInput(f"`{name}` is {size}; request 1 to {MAX_PAGE_SIZE} items, and more with `{cursor}`.")
    return size
