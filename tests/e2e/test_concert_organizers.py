"""A concert has one organizer, who names its gate staff and whom only an admin can replace."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from domain.validation import MAX_GATE_PEOPLE
from schema.ids import concert_argument
from storage.connect import Stores
from storage.sync.concert_writer import ConcertWriter
from tests.support.queue_users import open_queue
from tests.support.room_admin import open_room_admin
from tests.support.shop import HOLD, PURCHASE, RELEASE, Answer, OnSale, Shop, lines, new_key, person_id, shop_on
from tests.support.shop_mutations import CLOSE, UNKNOWN_CONCERT, customer_input, hold_input
from tests.support.shop_socket import open_client

pytestmark = pytest.mark.asyncio(loop_scope="module")

_REFUSED = """
    __typename
    ... on DomainError { code }
    ... on InvalidInputError { problems { path message } }
    ... on VersionConflictError { version }
"""
GIVE = f"""mutation ($input: ChangeConcertOrganizerInput!) {{
  changeConcertOrganizer(input: $input) {{
    {_REFUSED} ... on ChangeConcertOrganizerSuccess {{ concert {{ version organizerId }} }}
  }}
}}"""
UPDATE = f"""mutation ($input: UpdateConcertInput!) {{
  updateConcert(input: $input) {{ {_REFUSED} ... on UpdateConcertSuccess {{ concert {{ version gatePeople }} }} }}
}}"""
READ = "query ($id: ID!) { concert(id: $id) { version status organizerId gatePeople } }"
AUDIT = """query ($id: ID!) { waitingRoom(concertId: $id) {
    settingsVersion audit { nodes { personName action settingsVersion changes { setting before after } } }
} }"""
ORDER = "query ($id: ID!) { order(id: $id) { customerEmail } }"
ROOM_CHANGED = "subscription ($id: ID!) { waitingRoomChanged(concertId: $id) { message flow { joined } } }"


async def give(shop: Shop, concert: OnSale, to: str, **fields: object) -> Answer:
    input_ = {"concertId": concert.id, "organizerId": person_id(to), **fields}
    return (await shop.fields(GIVE, by="ada", input=input_))["changeConcertOrganizer"]


async def update(shop: Shop, concert: OnSale, **fields: object) -> Answer:
    return (await shop.fields(UPDATE, by="olivia", input={"concertId": concert.id, **fields}))["updateConcert"]


async def read_concert(shop: Shop, concert: OnSale) -> Answer:
    return (await shop.fields(READ, by="ada", id=concert.id))["concert"]


def code_of(answer: Answer) -> str:
    (error,) = answer["errors"]
    return str(error["extensions"]["code"])


async def test_concert_belongs_to_its_creator_until_an_admin_gives_it_away(shop: Shop) -> None:
    concert = await shop.on_sale()
    order = (await shop.buy({"concertId": concert.id, "lines": lines(concert, 1)}))["order"]
    assert (await read_concert(shop, concert))["organizerId"] == person_id("olivia")

    given = await give(shop, concert, "otto", expectedVersion=2)

    assert given["concert"] == {"version": 3, "organizerId": person_id("otto")}
    seen = {by: (await shop.fields(ORDER, by=by, id=order["id"]))["order"] is not None for by in ("olivia", "otto")}
    assert seen == {"olivia": False, "otto": True}
    input_ = {"concertId": concert.id, "name": "Taken back"}
    assert code_of(await shop.ask(UPDATE, by="olivia", input=input_)) == "FORBIDDEN"
    renamed = (await shop.fields(UPDATE, by="otto", input=input_))["updateConcert"]
    assert renamed["__typename"] == "UpdateConcertSuccess"


async def test_change_of_organizer_appears_in_the_audit(shop: Shop) -> None:
    concert = await shop.on_sale()
    before = (await shop.fields(AUDIT, by="ada", id=concert.id))["waitingRoom"]
    await give(shop, concert, "otto")
    after = (await shop.fields(AUDIT, by="otto", id=concert.id))["waitingRoom"]
    change = {"setting": "organizerId", "before": person_id("olivia"), "after": person_id("otto")}
    row = {"personName": "ada", "action": "CONFIGURED", "settingsVersion": before["settingsVersion"]}
    assert after["audit"]["nodes"] == [row | {"changes": [change]}, *before["audit"]["nodes"]]
    assert after["settingsVersion"] == before["settingsVersion"]


async def test_change_to_the_same_organizer_writes_nothing(shop: Shop) -> None:
    concert = await shop.on_sale()
    assert (await give(shop, concert, "olivia"))["concert"]["version"] == 2
    assert (await shop.fields(AUDIT, by="ada", id=concert.id))["waitingRoom"]["audit"]["nodes"] == []


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"expectedVersion": 1}, {"__typename": "VersionConflictError", "code": "VERSION_CONFLICT", "version": 2}),
        ({"concertId": UNKNOWN_CONCERT}, {"__typename": "NotFoundError", "code": "NOT_FOUND"}),
    ],
    ids=["old version", "unknown concert"],
)
async def test_refused_change_of_organizer_changes_nothing(
    shop: Shop, fields: dict[str, object], refusal: Answer
) -> None:
    concert = await shop.on_sale()
    before = await read_concert(shop, concert)
    assert await give(shop, concert, "otto", **fields) == refusal
    assert await read_concert(shop, concert) == before


@pytest.mark.parametrize("sub", ["", "two words", "house", "a{b}", "ä", "x" * 256])
async def test_malformed_organizer_and_gate_person_ids_are_refused(shop: Shop, sub: str) -> None:
    concert = await shop.on_sale()
    before = await read_concert(shop, concert)
    given = await give(shop, concert, "", organizerId=sub)
    changed = await update(shop, concert, gatePeople=[person_id("gus"), sub])
    assert [problem["path"] for problem in given["problems"]] == ["organizerId"]
    assert [problem["path"] for problem in changed["problems"]] == ["gatePeople.1"]
    assert await read_concert(shop, concert) == before


async def test_new_list_of_gate_people_replaces_the_old_one(shop: Shop) -> None:
    concert = await shop.on_sale()
    gus, gita = person_id("gus"), "f:ldap:gita"
    assert (await update(shop, concert, gatePeople=[gus, gita]))["concert"] == {
        "version": 3,
        "gatePeople": [gus, gita],
    }
    assert (await update(shop, concert, name="Renamed"))["concert"]["gatePeople"] == [gus, gita]
    assert (await update(shop, concert, gatePeople=[]))["concert"] == {"version": 5, "gatePeople": []}
    rows = (await shop.fields(AUDIT, by="olivia", id=concert.id))["waitingRoom"]["audit"]["nodes"]
    assert [row["changes"] for row in rows] == [
        [{"setting": "gatePeople", "before": f"{gus} {gita}", "after": ""}],
        [{"setting": "gatePeople", "before": "", "after": f"{gus} {gita}"}],
    ]


async def test_duplicate_or_too_many_gate_people_are_refused(shop: Shop) -> None:
    concert = await shop.on_sale()
    people = [f"gate-{number}" for number in range(MAX_GATE_PEOPLE)]
    too_many = await update(shop, concert, gatePeople=[*people, "one-more"])
    repeated = await update(shop, concert, gatePeople=["gus", "gus"])
    assert [problem["path"] for problem in too_many["problems"]] == ["gatePeople"]
    assert [problem["path"] for problem in repeated["problems"]] == ["gatePeople.1"]
    assert (await update(shop, concert, gatePeople=people))["concert"]["gatePeople"] == people


async def test_only_gate_people_can_be_changed_after_the_sale_has_closed(shop: Shop) -> None:
    concert = await shop.on_sale()
    await shop.fields(CLOSE, by="olivia", input={"concertId": concert.id})
    assert (await update(shop, concert, gatePeople=["gus"]))["concert"]["gatePeople"] == ["gus"]
    refused = await update(shop, concert, gatePeople=["gita"], name="Too late")
    assert refused["code"] == "ILLEGAL_TRANSITION"
    assert (await update(shop, concert))["code"] == "ILLEGAL_TRANSITION"
    assert (await read_concert(shop, concert))["gatePeople"] == ["gus"]


async def test_organizer_who_loses_the_concert_during_a_change_changes_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    concert = await shop.on_sale()
    save = ConcertWriter.save

    async def save_late(writer: ConcertWriter, *args: Any) -> Any:
        monkeypatch.setattr(ConcertWriter, "save", save)
        await give(shop, concert, "otto")
        return await writer.save(*args)

    monkeypatch.setattr(ConcertWriter, "save", save_late)
    input_ = {"concertId": concert.id, "gatePeople": ["gita"]}
    assert code_of(await shop.ask(UPDATE, by="olivia", input=input_)) == "FORBIDDEN"
    assert await read_concert(shop, concert) == {
        "version": 3,
        "status": "PUBLISHED",
        "organizerId": person_id("otto"),
        "gatePeople": [],
    }


async def test_organizer_without_the_role_has_no_rights_to_their_concert(shop: Shop) -> None:
    concert, draft = await shop.on_sale(), await shop.draft()
    token = shop.token("olivia", realm_access={"roles": ["customer"]})
    headers = {"Authorization": f"Bearer {token}"}

    async def ask(document: str, **variables: object) -> Answer:
        body = {"query": document, "variables": variables}
        return (await shop.client.post("/graphql", json=body, headers=headers)).json()

    assert code_of(await ask(UPDATE, input={"concertId": concert.id, "name": "Renamed"})) == "FORBIDDEN"
    hidden = await ask("query ($id: ID!) { concert(id: $id) { name } }", id=draft.id)
    assert "errors" not in hidden
    assert hidden["data"] == {"concert": None}


async def test_open_subscription_hides_the_flow_from_a_former_organizer(shop: Shop) -> None:
    admin, _ = await open_room_admin(shop)
    async with open_client(shop, shop.token("olivia")) as client:
        await client.subscribe("r", ROOM_CHANGED, id=admin.concert.id)
        assert (await client.receive())["payload"]["data"]["waitingRoomChanged"]["flow"] == {"joined": 0}
        await give(shop, admin.concert, "otto")
        payload = (await client.receive())["payload"]
        assert payload["data"]["waitingRoomChanged"] == {"message": "", "flow": None}
        assert code_of(payload) == "FORBIDDEN"


async def test_person_who_lost_the_role_keeps_what_they_have(shop: Shop) -> None:
    queue = await open_queue(shop, totalActiveUsers=10)
    plain = await shop.on_sale()
    (entry,) = await queue.join("ann")
    ann = queue.name("ann")
    hold = (await shop.hold(plain, 1, by=ann))["hold"]
    order = (await shop.buy({"concertId": plain.id, "lines": lines(plain, 1)}, by=ann))["order"]
    headers = {"Authorization": f"Bearer {shop.token(ann, realm_access={'roles': []})}"}

    async def ask(document: str, **variables: object) -> Answer:
        body = {"query": document, "variables": variables}
        return (await shop.client.post("/graphql", json=body, headers=headers)).json()

    for document, input_ in (
        (HOLD, hold_input(plain, 1)),
        (PURCHASE, {**customer_input(), "holdId": hold["id"]}),
    ):
        assert code_of(await ask(document, input=input_)) == "FORBIDDEN"
    shown = (await ask("{ me { holds { id } queueEntries { id } orders { nodes { id } } } }"))["data"]["me"]
    assert shown == {
        "holds": [{"id": hold["id"]}],
        "queueEntries": [{"id": entry["id"]}],
        "orders": {"nodes": [{"id": order["id"]}]},
    }
    assert (await ask(RELEASE, input={"holdId": hold["id"]}))["data"]["releaseHold"]["hold"]["state"] == "ENDED"
    leave = "mutation ($input: LeaveQueueInput!) { leaveQueue(input: $input) { __typename } }"
    left = await ask(leave, input={"concertId": queue.concert.id})
    assert "errors" not in left
    assert left["data"] == {"leaveQueue": {"__typename": "LeaveQueueSuccess"}}


@pytest_asyncio.fixture(loop_scope="module")
async def open_shop_for_all(shop: Shop) -> AsyncIterator[Shop]:
    """A server on the same stores, with ONSALE_BUYERS=signed-in."""
    async with shop_on(shop.stores, shop.redis_url, signed_in_may_buy=True) as open_to_all:
        yield open_to_all


async def test_setting_lets_all_signed_in_people_buy(open_shop_for_all: Shop) -> None:
    concert = await open_shop_for_all.on_sale()
    for by in ("robot", "gus"):
        held = await open_shop_for_all.hold(concert, 1, by=by)
        assert held["__typename"] == "HoldTicketsSuccess"
    anonymous = await open_shop_for_all.ask(HOLD, input=hold_input(concert, 1))
    assert code_of(anonymous) == "UNAUTHENTICATED"


async def test_concert_stored_by_an_earlier_version_belongs_to_its_creator(shop: Shop) -> None:
    concert, draft = await shop.on_sale(), await shop.draft(slug=(slug := f"old-{new_key()}"))
    await forget_organizer(shop.stores, concert, draft)
    listed = "{ concerts(first: 100, filter: { status: [DRAFT] }) { nodes { slug } } }"
    for by, is_listed in (("olivia", True), ("ada", True), ("otto", False)):
        slugs = [node["slug"] for node in (await shop.fields(listed, by=by))["concerts"]["nodes"]]
        assert (slug in slugs) is is_listed
    assert (await update(shop, concert, gatePeople=["gus"]))["concert"]["gatePeople"] == ["gus"]
    assert await read_concert(shop, concert) == {
        "version": 3,
        "status": "PUBLISHED",
        "organizerId": person_id("olivia"),
        "gatePeople": ["gus"],
    }


async def forget_organizer(stores: Stores, *concerts: OnSale) -> None:
    ids = [concert_argument(concert.id) for concert in concerts]
    fields = {"organizerId": "", "gatePeople": ""}
    await stores.mongo["concerts"].update_many({"_id": {"$in": ids}}, {"$unset": fields})
