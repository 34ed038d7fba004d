"""Requests about a past concert, whose keys have expired, return null or a typed error."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from resolvers.history import is_past
from tests.support.past_concerts import move_into_past, raw_id
from tests.support.shop import HOLD, PURCHASE, RELEASE, OnSale, Shop, lines, moment, new_key
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

NODE = "query ($id: ID!) { node(id: $id) { id } }"
QUEUE_VERBS = {
    "joinQueue": "RoomNotOpenError",
    "leaveQueue": "NotInQueueError",
    "heartbeat": "NotInQueueError",
    "claimQueuePass": "NotInQueueError",
}
ADMIT_NEXT = """
mutation ($input: AdmitNextInput!) {
  admitNext(input: $input) { __typename ... on RoomNotOpenError { status opensAt } }
}
"""
AUDIT = "query ($id: ID!) { concert(id: $id) { waitingRoom { audit(first: 5) { nodes { action } } } } }"
UPDATE = """
mutation ($input: UpdateConcertInput!) {
  updateConcert(input: $input) {
    __typename
    ... on InvalidInputError { problems { path message } }
    ... on UpdateConcertSuccess { concert { isOnSale tiers { capacity } waitingRoom { status round } } }
  }
}
"""
ROOM = {"suspended": False, "totalActiveUsers": 5, "newUsersPerMinute": 60}


async def past_concert(shop: Shop) -> OnSale:
    concert = await shop.on_sale(waitingRoom=ROOM)
    await move_into_past(shop, concert)
    return concert


async def refresh_cache(shop: Shop, concert: OnSale) -> None:
    async def is_known() -> bool:
        known = await shop.stores.concert_cache.get(raw_id(concert))
        return known is not None and is_past(known)

    await wait_until(is_known, what="the cached concert")


async def held_at_past_concert(shop: Shop) -> str:
    concert = await shop.on_sale()
    hold_id: str = (await shop.hold(concert, 2))["hold"]["id"]
    await move_into_past(shop, concert)
    return hold_id


@pytest.mark.parametrize(("verb", "is_known"), [*[(verb, False) for verb in QUEUE_VERBS], ("joinQueue", True)])
async def test_queue_of_a_past_concert_is_closed(shop: Shop, verb: str, is_known: bool) -> None:
    concert = await shop.on_sale(waitingRoom=ROOM)
    await shop.fields("query ($id: ID!) { queueEntry(concertId: $id) { id } }", by="alice", id=concert.id)
    await move_into_past(shop, concert)
    if is_known:
        await refresh_cache(shop, concert)
    type_ = f"{verb[0].upper()}{verb[1:]}Input"
    more = "... on RoomNotOpenError { status opensAt }" if verb == "joinQueue" else ""
    document = f"mutation ($input: {type_}!) {{ {verb}(input: $input) {{ __typename {more} }} }}"
    closed = {"status": "CLOSED", "opensAt": None} if more else {}
    for _ in range(2):
        answer = await shop.fields(document, by="alice", input={"concertId": concert.id})
        assert answer == {verb: {"__typename": QUEUE_VERBS[verb], **closed}}


async def test_hold_for_a_past_concert_is_not_found(shop: Shop) -> None:
    hold_id = await held_at_past_concert(shop)
    for by in ("alice", "bob", "olivia"):
        assert await shop.fields(NODE, by=by, id=hold_id) == {"node": None}
        released = await shop.fields(RELEASE, by=by, input={"holdId": hold_id})
        assert released["releaseHold"]["__typename"] == "NotFoundError"


async def test_hold_for_a_past_concert_is_refused_with_or_without_a_pass(shop: Shop) -> None:
    concert = await past_concert(shop)
    await refresh_cache(shop, concert)
    request = {"concertId": concert.id, "lines": lines(concert, 1), "idempotencyKey": new_key()}
    for queue_pass in (None, "no.valid.pass"):
        refused = await shop.fields(HOLD, by="alice", input=request | {"queuePass": queue_pass})
        assert refused["holdTickets"]["__typename"] == "NotOnSaleError"


@pytest.mark.parametrize("is_bought", [False, True])
async def test_purchase_for_a_past_concert_is_refused(shop: Shop, is_bought: bool) -> None:
    concert = await shop.on_sale()
    request: dict[str, Any] = {"holdId": (await shop.hold(concert, 2))["hold"]["id"]}
    key = new_key()
    if is_bought:
        await shop.buy(request, key=key)
    await move_into_past(shop, concert)
    usual = {"customerName": "Alice", "customerEmail": "alice@onsale.example", "idempotencyKey": key}
    answer = await shop.fields(PURCHASE, by="alice", input=usual | request)
    assert answer["purchaseTickets"]["__typename"] == "NotOnSaleError"


async def test_past_concert_calls_no_more_people(shop: Shop) -> None:
    concert = await past_concert(shop)
    request = {"concertId": concert.id, "count": 3, "idempotencyKey": new_key()}
    for _ in range(2):
        answer = await shop.fields(ADMIT_NEXT, by="olivia", input=request)
        assert answer["admitNext"] == {"__typename": "RoomNotOpenError", "status": "CLOSED", "opensAt": None}
    audit = (await shop.fields(AUDIT, by="olivia", id=concert.id))["concert"]["waitingRoom"]["audit"]
    assert audit == {"nodes": []}


async def update(shop: Shop, concert: OnSale, **changes: object) -> Any:
    change = {"concertId": concert.id, **changes}
    return (await shop.fields(UPDATE, by="olivia", input=change))["updateConcert"]


async def test_capacity_of_a_past_concert_cannot_be_lowered(shop: Shop) -> None:
    concert = await past_concert(shop)
    tier = {"tierId": concert.tiers[0]}
    answer = await update(shop, concert, tiers=[tier | {"capacity": 99}])
    assert answer["__typename"] == "InvalidInputError"
    assert [problem["path"] for problem in answer["problems"]] == ["tiers.0.capacity"]
    answer = await update(shop, concert, tiers=[tier | {"capacity": 120}])
    assert answer["concert"]["tiers"] == [{"capacity": 120}, {"capacity": 2}]


async def test_room_settings_of_a_past_concert_can_be_changed(shop: Shop) -> None:
    concert = await past_concert(shop)
    changed = await update(shop, concert, waitingRoom={"shuffleAtStart": True})
    assert changed["concert"]["waitingRoom"] == {"status": "CLOSED", "round": 1}


async def test_past_concert_that_is_moved_to_the_future_sells_again(shop: Shop) -> None:
    concert = await past_concert(shop)
    later = datetime.now(UTC) + timedelta(days=20)
    answer = await update(shop, concert, salesEndAt=moment(later), startsAt=moment(later + timedelta(days=1)))
    assert answer["__typename"] == "UpdateConcertSuccess"
    assert answer["concert"]["isOnSale"] is True
    # A new round begins, without the people from the first sale.
    shown = await shop.fields("query ($id: ID!) { waitingRoom(concertId: $id) { round } }", id=concert.id)
    assert shown == {"waitingRoom": {"round": 2}}


@pytest.mark.parametrize("verb", ["pauseWaitingRoom", "resumeWaitingRoom", "resetWaitingRoom", "closeConcert"])
async def test_organizers_may_still_manage_a_past_concert(shop: Shop, verb: str) -> None:
    concert = await past_concert(shop)
    name = f"{verb[0].upper()}{verb[1:]}"
    key = {"idempotencyKey": new_key()} if verb == "resetWaitingRoom" else {}
    document = f"mutation ($input: {name}Input!) {{ {verb}(input: $input) {{ __typename }} }}"
    for _ in range(2):
        answer = await shop.fields(document, by="olivia", input={"concertId": concert.id, **key})
        assert answer == {verb: {"__typename": f"{name}Success"}}
    shown = await shop.fields("query ($id: ID!) { waitingRoom(concertId: $id) { status } }", id=concert.id)
    assert shown == {"waitingRoom": {"status": "CLOSED"}}
