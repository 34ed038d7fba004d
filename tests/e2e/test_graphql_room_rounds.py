"""Queues after a reset or an opening, over GraphQL: what is kept and what may change."""

import asyncio
import hashlib

import pytest

from domain.ids import ConcertId
from schema import ids
from tests.support.room_admin import RoomAdmin, open_room_admin, soon
from tests.support.shop import PUBLISH, Shop, new_key
from tests.support.shop_mutations import hold_with_pass

pytestmark = pytest.mark.asyncio(loop_scope="module")

UPDATE = """mutation ($input: UpdateConcertInput!) {
  updateConcert(input: $input) { __typename ... on QueueOpenedError { settings } }
}"""
PAGE = """query ($id: ID!, $first: Int, $after: String) {
  waitingRoom(concertId: $id) {
    audit(first: $first, after: $after) {
      nodes { settingsVersion }
      edges { cursor node { settingsVersion } }
      pageInfo { hasNextPage hasPreviousPage endCursor }
    }
  }
}"""
FLOW = """query ($id: ID!) {
  waitingRoom(concertId: $id) {
    flow {
      inflow outflow occupancy waitingCount noShows
      joined called claimed completed left absent notClaimed sessionOver
    }
  }
}"""


async def test_reset_ends_waiting_entries_and_keeps_calls(shop: Shop) -> None:
    admin, queue = await open_room_admin(shop, totalActiveUsers=2)
    await queue.join("ann", "ben", "cat", "dan")
    await queue.call()
    token = (await queue.result("claimQueuePass", "ann"))["entry"]["pass"]["token"]
    answer = await admin.reset()
    assert (answer["__typename"], answer["settingsVersion"]) == ("ResetWaitingRoomSuccess", 2)
    assert answer["waitingRoom"] == {"status": "OPEN", "round": 2, "settingsVersion": 2}
    assert [(await queue.read_entry(person))["state"] for person in ("ann", "ben", "cat", "dan")] == [
        *("ADMITTED", "READY"),
        *("EXPIRED", "EXPIRED"),
    ]
    room = await admin.everything()
    assert (room["slotsTaken"], room["waitingCount"], room["servingNumber"], room["passesIssued"]) == (2, 0, 0, 0)
    assert (await queue.read_entry("ann"))["pass"]["token"] == token
    assert (await hold_with_pass(queue, "ann", token))["__typename"] == "HoldTicketsSuccess"
    (dan, cat) = await queue.join("dan", "cat")
    assert [(entry["number"], entry["position"]) for entry in (dan, cat)] == [(1, 1), (2, 2)]
    await queue.call()
    assert (await queue.read_entry("dan"))["state"] == "WAITING"
    await queue.result("leaveQueue", "ben")
    assert (await queue.read_entry("dan"))["state"] == "READY"


async def test_rejecting_room_keeps_entries_and_passes(shop: Shop) -> None:
    admin, queue = await open_room_admin(shop, totalActiveUsers=1)
    token = await queue.admitted("ann")
    await queue.join("ben")
    await admin.configure(queueingMethod="REJECT", totalActiveUsers=5)
    await queue.call()
    assert (await queue.result("joinQueue", "cat"))["code"] == "ROOM_NOT_OPEN"
    again = await queue.join("ben")
    assert [(entry["number"], entry["state"], entry["position"]) for entry in again] == [(2, "WAITING", 1)]
    assert (await hold_with_pass(queue, "ann", token))["__typename"] == "HoldTicketsSuccess"
    await admin.configure(queueingMethod="FIFO")
    await queue.call()
    assert (await queue.read_entry("ben"))["state"] == "READY"


async def test_reset_repeated_with_the_same_key_happens_once(shop: Shop) -> None:
    admin, queue = await open_room_admin(shop)
    await queue.join("ann")
    key = new_key()
    answers = await asyncio.gather(*[admin.reset(key) for _ in range(4)])
    assert {answer["settingsVersion"] for answer in answers} == {2}
    await queue.join("ann")
    before = await admin.everything()
    assert (await admin.reset(key))["settingsVersion"] == 2
    assert (await admin.reset(key, settings={"message": "Hello"}))["__typename"] == "IdempotencyConflictError"
    assert await admin.everything() == before
    assert (before["round"], before["waitingCount"]) == (2, 1)
    (row,) = before["audit"]["nodes"]
    assert (row["action"], row["round"], row["settingsVersion"]) == ("RESET", 2, 2)
    assert row["changes"] == [{"setting": "round", "before": "1", "after": "2"}]
    assert (await admin.reset())["waitingRoom"]["round"] == 3


async def test_keys_of_the_organizer_and_an_admin_do_not_collide(shop: Shop) -> None:
    admin, _ = await open_room_admin(shop)
    key = new_key()
    assert (await admin.reset(key))["waitingRoom"]["round"] == 2
    document = "mutation ($input: ResetWaitingRoomInput!) { resetWaitingRoom(input: $input) { __typename } }"
    await shop.fields(document, by="ada", input={"concertId": admin.concert.id, "idempotencyKey": key})
    room = await admin.everything()
    assert room["round"] == 3
    assert [row["personName"] for row in room["audit"]["nodes"]] == ["ada", "olivia"]


OPENED: list[tuple[dict[str, object], list[str]]] = [
    ({"shuffleAtStart": True}, ["shuffleAtStart"]),
    ({"opensAt": soon(hours=24)}, ["opensAt"]),
    ({"shuffleAtStart": True, "opensAt": soon(hours=24), "message": "Hello"}, ["shuffleAtStart", "opensAt"]),
]


@pytest.mark.parametrize(("settings", "fixed"), OPENED, ids=["-".join(fixed) for _, fixed in OPENED])
async def test_settings_fixed_by_the_opening_change_only_with_a_reset(
    shop: Shop, settings: dict[str, object], fixed: list[str]
) -> None:
    admin, queue = await open_room_admin(shop)
    await queue.join("ann")
    before = await admin.everything()
    refused = await admin.configure(**settings)
    assert (refused["code"], refused["settings"]) == ("QUEUE_OPENED", fixed)
    assert "pause the waiting room, or reset it" in refused["message"]
    input_ = {"concertId": admin.concert.id, "waitingRoom": settings}
    updated = (await shop.fields(UPDATE, by="olivia", input=input_))["updateConcert"]
    assert updated == {"__typename": "QueueOpenedError", "settings": fixed}
    assert await admin.everything() == before
    answer = await admin.reset(settings=settings)
    assert (answer["waitingRoom"]["round"], answer["settingsVersion"]) == (2, 2)
    after = await admin.everything()
    assert {name: after[name] for name in settings} == settings
    assert (after["status"], after["waitingCount"]) == ("PREQUEUE" if "opensAt" in settings else after["status"], 0)


async def test_sale_start_cannot_move_while_its_room_is_open(shop: Shop) -> None:
    admin, _ = await open_room_admin(shop)
    input_ = {"concertId": admin.concert.id, "salesStartAt": soon(hours=24)}
    updated = (await shop.fields(UPDATE, by="olivia", input=input_))["updateConcert"]
    assert updated == {"__typename": "QueueOpenedError", "settings": ["opensAt"]}
    await admin.configure(suspended=True)
    assert (await shop.fields(UPDATE, by="olivia", input=input_))["updateConcert"][
        "__typename"
    ] == "UpdateConcertSuccess"


async def test_all_settings_can_change_before_the_opening(shop: Shop) -> None:
    admin, queue = await open_room_admin(shop, opensAt=soon(hours=24))
    await queue.join("ann")
    for settings in ({"shuffleAtStart": True}, {"opensAt": soon(hours=48)}, {"shuffleAtStart": False}):
        assert (await admin.configure(**settings))["__typename"] == "ConfigureWaitingRoomSuccess"
    room = await admin.everything()
    assert (room["settingsVersion"], room["status"], room["waitingCount"]) == (4, "PREQUEUE", 1)


async def test_lottery_has_one_commitment_per_round(shop: Shop) -> None:
    admin, _ = await open_room_admin(shop, opensAt=soon(hours=24))
    for is_shuffled in (True, False, True):
        await admin.configure(shuffleAtStart=is_shuffled)
    await admin.reset()
    rows = (await admin.everything())["audit"]["nodes"]
    commitments = [[(c["before"], c["after"]) for c in row["changes"] if c["setting"] == "commitment"] for row in rows]
    ((first, second),), *_, ((before, after),) = commitments
    assert (before, after, commitments[1:3]) == ("", first, [[], []])
    assert len({first, second, hashlib.sha256(b"").hexdigest()}) == 3
    stored = await shop.stores.lotteries.commit(_concert_id(admin), 2)
    assert stored == second


async def test_draft_with_a_lottery_gets_a_commitment_when_published(shop: Shop) -> None:
    admin = RoomAdmin(shop, await shop.draft(waitingRoom={"suspended": False, "opensAt": soon(hours=24)}))
    await admin.configure(shuffleAtStart=True)
    await shop.fields(PUBLISH, by="olivia", input={"concertId": admin.concert.id})
    row, before = (await admin.everything())["audit"]["nodes"]
    assert [change["setting"] for change in before["changes"]] == ["shuffleAtStart"]
    (change,) = row["changes"]
    assert (row["action"], change["setting"], change["before"]) == ("CONFIGURED", "commitment", "")
    assert change["after"] == await shop.stores.lotteries.commit(_concert_id(admin), 1)


def _concert_id(admin: RoomAdmin) -> ConcertId:
    return ids.concert_argument(admin.concert.id)


async def test_audit_is_read_page_by_page(shop: Shop) -> None:
    admin, _ = await open_room_admin(shop)
    for users in range(11, 16):
        await admin.configure(totalActiveUsers=users)
    seen: list[int] = []
    after = None
    while True:
        found = await shop.fields(PAGE, by="olivia", id=admin.concert.id, first=2, after=after)
        page = found["waitingRoom"]["audit"]
        assert page["nodes"] == [edge["node"] for edge in page["edges"]]
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        seen += [row["settingsVersion"] for row in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == [6, 5, 4, 3, 2]
    for wrong in ({"first": 0}, {"first": 101}, {"after": "nonsense"}):
        answer = await shop.ask(PAGE, by="olivia", id=admin.concert.id, **wrong)
        assert answer["data"]["waitingRoom"] == {"audit": None}
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]


async def test_flow_counts_people_by_what_they_did(shop: Shop) -> None:
    admin, queue = await open_room_admin(shop, totalActiveUsers=2)
    await queue.join("ann", "ben", "cat", "dan", "eve")
    await queue.call()
    await queue.result("claimQueuePass", "ann")
    await queue.result("leaveQueue", "dan")
    flow = (await shop.fields(FLOW, by="olivia", id=admin.concert.id))["waitingRoom"]["flow"]
    now = {"inflow": 5, "outflow": 2, "occupancy": 2, "waitingCount": 2, "noShows": 0}
    totals = {"joined": 5, "called": 2, "claimed": 1, "completed": 0, "left": 1}
    assert flow == now | totals | {"absent": 0, "notClaimed": 0, "sessionOver": 0}
