"""Each list has the same order forward and backward, with the ends of its pages marked."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, TypeAlias, TypeVar

from domain.concerts import ConcertFilter
from domain.ids import ConcertId, PersonId
from domain.page import Page, PageRequest
from domain.room_audits import RoomAction, RoomAudit, RoomCommand
from resolvers import concerts
from storage.connect import Stores
from storage.mongo.order_documents import order_document
from tests.support.payment_orders import NOW
from tests.support.sale import draft, organizer
from tests.support.ticket_orders import paid_order, with_first_ticket

Item = TypeVar("Item")
ReadPage: TypeAlias = Callable[[PageRequest], Awaitable[Page[Item]]]

ALICE, ROOM = PersonId("alice"), ConcertId("audited")


async def read_pages(read: ReadPage[Item], size: int, *, is_backward: bool) -> list[Page[Item]]:
    """Read the whole list from one end to the other. Return its pages in the order of the list."""
    pages, cursor = list[Page[Item]](), None
    while not pages or (pages[-1].has_previous_page if is_backward else pages[-1].has_next_page):
        pages.append(await read(PageRequest(size, cursor, is_backward=is_backward)))
        cursor = pages[-1].cursors[0 if is_backward else -1]
    return pages[::-1] if is_backward else pages


async def check_both_ways(read: ReadPage[Item], count: int) -> None:
    whole = await read(PageRequest(100))
    assert (len(whole.items), whole.has_next_page, whole.has_previous_page) == (count, False, False)
    whole_backward = await read(PageRequest(100, is_backward=True))
    assert replace(whole_backward, cursors=whole.cursors) == whole
    for size in (1, 2, 3, count - 1, count):
        for is_backward in (False, True):
            pages = await read_pages(read, size, is_backward=is_backward)
            assert [item for page in pages for item in page.items] == list(whole.items), (size, is_backward)
            assert [page.has_previous_page for page in pages] == [False] + [True] * (len(pages) - 1)
            assert [page.has_next_page for page in pages] == [True] * (len(pages) - 1) + [False]
            for before, after in pairwise(pages):
                previous = await read(PageRequest(size, after.cursors[0], is_backward=True))
                assert (await read(PageRequest(size, previous.cursors[-1]))).items == after.items
                assert previous.items[-1] == before.items[-1]


async def fill(stores: Stores) -> None:
    """Add 7 orders with 16 tickets, of which alice holds 14, and 5 audit rows, some at one time."""
    for number in range(7):
        order = paid_order(f"o{number}", *range(number * 4, number * 4 + 1 + number % 4))
        if number in (2, 4):
            order = with_first_ticket(order, holder_id=PersonId("bob"))
        made = replace(order, created_at=NOW + timedelta(minutes=number // 3))
        await stores.orders.collection.insert_one(order_document(made))
    for number in range(5):
        command = RoomCommand(f"c{number}", ALICE, "Alice", RoomAction.CONFIGURED, "digest")
        audit = RoomAudit(ROOM, NOW + timedelta(minutes=number // 2), command, settings_version=1, round=1, changes=())
        await stores.room_audits.insert(audit)


async def test_each_list_has_the_same_order_in_both_directions(stores: Stores) -> None:
    await fill(stores)
    await check_both_ways(lambda request: stores.orders.page_of_person(ALICE, request), 7)
    await check_both_ways(lambda request: stores.tickets.page_of_holder(ALICE, request), 14)
    await check_both_ways(lambda request: stores.room_audits.page(ROOM, request), 5)

    today = datetime.now(UTC).replace(microsecond=0)
    for day in (-400, -40, -40, -3, 0, 5, 5, 90):
        starts_at = today + timedelta(days=day)
        times: dict[str, Any] = {
            "starts_at": starts_at,
            "sales_start_at": starts_at - timedelta(days=2),
            "sales_end_at": starts_at,
        }
        await concerts.create_concert(organizer(stores), draft(10, **times))
    everything = ConcertFilter()
    await check_both_ways(lambda request: stores.concerts.page(everything, request), 8)
