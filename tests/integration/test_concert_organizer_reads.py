"""Checking who organizes a concert on sale requires neither a read nor a round trip."""

from typing import Any
from unittest import mock

import pytest

from auth.viewer import Role
from domain.concerts import Concert, ConcertFilter
from domain.page import PageRequest
from resolvers import concerts
from schema import Operation, execute, ids
from storage.connect import Stores
from tests.support.concert_reads import recorded_reads
from tests.support.sale import buy, context, draft, hold, on_sale
from tests.support.script_calls import recorded_calls

NODE = "query ($id: ID!) { node(id: $id) { id } }"
ORDER = "query ($id: ID!) { order(id: $id) { customerEmail } }"
PAGE = "{ concerts(first: 100) { nodes { id stock { version } waitingRoom { status } } } }"


async def ask(stores: Stores, who: str, *roles: Role, document: str, **variables: object) -> Any:
    payload = (await execute(Operation(document, variables, None), context(stores, who, *roles))).payload
    assert "errors" not in payload, payload
    return payload["data"]


async def cached_concert_on_sale(stores: Stores) -> Concert:
    """Return a concert on sale that is in this process's cache, with its currency."""
    concert = await on_sale(stores, 10)
    await stores.concert_cache.get(concert.id)
    await stores.concerts.currency_of(concert.id)
    return concert


@pytest.mark.parametrize(("who", "role"), [("alice", Role.CUSTOMER), ("olivia", Role.ORGANIZER), ("ada", Role.ADMIN)])
async def test_order_and_hold_are_checked_without_reading_the_concert(stores: Stores, who: str, role: Role) -> None:
    concert = await cached_concert_on_sale(stores)
    order, held = await buy(stores, await hold(stores, concert, 1)), await hold(stores, concert, 1)
    with recorded_calls(stores) as calls, recorded_reads() as reads:
        shown = await ask(stores, who, role, document=ORDER, id=ids.of_order(order.id))
        node = await ask(stores, who, role, document=NODE, id=ids.of_hold(concert.id, held.id))
    assert shown == {"order": {"customerEmail": "ada@example.org"}}
    assert node["node"] is not None
    assert reads == ["currency_of"]
    assert calls.round_trips == [["read_holds"]]


async def test_person_without_a_role_causes_no_read_of_the_concert(stores: Stores) -> None:
    concert = await cached_concert_on_sale(stores)
    order = await buy(stores, await hold(stores, concert, 1))
    with mock.patch.object(stores.concert_cache, "get") as read, recorded_reads() as reads:
        assert await ask(stores, "bob", document=ORDER, id=ids.of_order(order.id)) == {"order": None}
    assert (read.call_count, reads) == (0, [])


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.ORGANIZER, Role.ADMIN])
async def test_page_of_concerts_takes_one_query_for_any_role(stores: Stores, role: Role) -> None:
    for _ in range(5):
        await on_sale(stores, 10)
    with recorded_calls(stores) as calls, recorded_reads() as reads:
        page = await ask(stores, "olivia", role, document=PAGE)
    assert len(page["concerts"]["nodes"]) == 5
    assert reads == ["page"]
    assert calls.round_trips == [["read_room"] * 5 + ["read_stock"] * 5]


async def test_pages_that_include_drafts_are_full_and_repeat_no_concert(stores: Stores) -> None:
    """The query omits other people's drafts, so no page is short and no concert is repeated."""
    made = []
    for number in range(12):
        who = "olivia" if number % 3 == 0 else "otto"
        draft_ = draft(10, slug=f"draft-{number:02}")
        made.append(await concerts.create_concert(context(stores, who, Role.ORGANIZER), draft_))
    found, after = [], None
    while True:
        page = await concerts.list_concerts(
            context(stores, "otto", Role.ORGANIZER), ConcertFilter(), PageRequest(3, after)
        )
        found += [concert.id for concert in page.items]
        if not page.has_next_page:
            break
        assert len(page.items) == 3
        after = page.cursors[-1]
    assert sorted(found) == sorted(concert.id for concert in made if concert.organizer_id == "otto")
    assert len(found) == len(set(found)) == 8
