"""A queue over GraphQL: joining, waiting, claiming, holding, buying, and each refusal."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.hot_keys import advance_clock
from tests.support.queue_users import VERBS, QueueUsers, open_queue
from tests.support.shop import PURCHASE, Answer, Shop, lines, moment, new_key
from tests.support.shop_mutations import CLOSE, UNKNOWN_CONCERT, customer_input, hold_with_pass

pytestmark = pytest.mark.asyncio(loop_scope="module")

MINE = "{ me { queueEntries { number concert { id } } } }"
NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"


def seconds_after(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def check_remaining_time(shown: Answer, whole_s: int, since: datetime) -> None:
    """Check that the period began between `since` and now, and that the remaining time matches."""
    ends_at = datetime.fromisoformat(shown["expiresAt"])
    # The store counts milliseconds, and clients round up to seconds.
    assert since - timedelta(milliseconds=1) <= ends_at - timedelta(seconds=whole_s) <= datetime.now(UTC)
    elapsed_s = (datetime.now(UTC) - since).total_seconds()
    assert whole_s - elapsed_s - 1 <= shown["expiresInSeconds"] <= whole_s


async def test_joining_twice_returns_the_same_entry(shop: Shop) -> None:
    queue = await open_queue(shop)
    before = datetime.now(UTC)
    first, again, second = await queue.join("alice", "alice", "bob")
    assert (first["number"], first["state"], first["position"], first["pass"]) == (1, "WAITING", 1, None)
    assert again["id"] == first["id"]
    assert (second["number"], second["position"]) == (2, 2)
    assert first["concert"] == {"id": queue.concert.id}
    assert seconds_after(first["joinedAt"], first["expiresAt"]) == 90
    check_remaining_time(first, 90, before)
    assert (await queue.room())["waitingCount"] == 2


async def test_own_entry_is_found_by_concert_by_person_and_by_id(shop: Shop) -> None:
    queue = await open_queue(shop)
    (entry,) = await queue.join("alice")
    assert (await queue.read_entry("alice"))["id"] == entry["id"]
    assert await queue.read_entry("bob") is None
    mine = (await shop.fields(MINE, by=queue.name("alice")))["me"]["queueEntries"]
    assert mine == [{"number": 1, "concert": {"id": queue.concert.id}}]
    found = (await shop.fields(NODE, by=queue.name("alice"), id=entry["id"]))["node"]
    assert found == {"__typename": "QueueEntry", "id": entry["id"]}


async def test_entry_of_another_person_is_not_found(shop: Shop) -> None:
    queue = await open_queue(shop)
    (entry, _) = await queue.join("alice", "bob")
    for viewer in (queue.name("bob"), queue.name("carol"), "olivia"):
        assert (await shop.fields(NODE, by=viewer, id=entry["id"]))["node"] is None


async def test_leaving_moves_others_up_and_rejoining_starts_at_the_end(shop: Shop) -> None:
    queue = await open_queue(shop)
    await queue.join("alice", "bob")
    left = (await queue.result("leaveQueue", "alice"))["entry"]
    assert (left["state"], left["position"], left["expiresAt"]) == ("LEFT", None, None)
    assert (await queue.read_entry("bob"))["position"] == 1
    (back,) = await queue.join("alice")
    assert (back["number"], back["position"]) == (3, 2)


@pytest.mark.parametrize("verb", ["leaveQueue", "heartbeat", "claimQueuePass"])
async def test_person_without_an_entry_cannot_change_the_queue(shop: Shop, verb: str) -> None:
    queue = await open_queue(shop)
    await queue.join("alice")
    before = await queue.room()
    answer = await queue.result(verb, "bob")
    assert (answer["__typename"], answer["code"], answer["retryable"]) == ("NotInQueueError", "NOT_IN_QUEUE", False)
    assert await queue.room() == before


async def test_heartbeat_extends_the_entry(shop: Shop) -> None:
    queue = await open_queue(shop)
    (entry,) = await queue.join("alice")
    await advance_clock(shop.stores, await queue.read_concert(), 10_000)
    extended = (await queue.result("heartbeat", "alice"))["entry"]
    assert (extended["id"], extended["state"]) == (entry["id"], "WAITING")
    assert seconds_after(entry["expiresAt"], extended["expiresAt"]) >= 10


async def test_pass_cannot_be_claimed_before_the_call(shop: Shop) -> None:
    queue = await open_queue(shop)
    await queue.join("alice", "bob")
    answer = await queue.result("claimQueuePass", "bob")
    assert (answer["code"], answer["reason"], answer["position"]) == ("NOT_ADMITTED", "NOT_CALLED", 2)
    assert (await queue.room())["passesIssued"] == 0


async def test_called_person_claims_one_pass(shop: Shop) -> None:
    queue = await open_queue(shop, totalActiveUsers=1)
    await queue.join("alice", "bob")
    before = datetime.now(UTC)
    await queue.call()
    called = await queue.read_entry("alice")
    assert (called["state"], called["position"], called["pass"]) == ("READY", 0, None)
    check_remaining_time(called, 60, before)
    first = (await queue.result("claimQueuePass", "alice"))["entry"]
    again = (await queue.result("claimQueuePass", "alice"))["entry"]
    assert first["state"] == "ADMITTED"
    assert first["pass"]["token"] == again["pass"]["token"] == (await queue.read_entry("alice"))["pass"]["token"]
    check_remaining_time(first["pass"], 300, before)
    room = await queue.room()
    assert (room["servingNumber"], room["slotsTaken"], room["passesIssued"], room["waitingCount"]) == (1, 1, 1, 1)
    assert (await queue.read_entry("bob"))["position"] == 1


async def test_hold_needs_a_pass(shop: Shop) -> None:
    queue = await open_queue(shop)
    await queue.join("alice", "bob")
    for person, reason, position in (("bob", "NOT_CALLED", 2), ("carol", "NO_PASS", None)):
        answer = await hold_with_pass(queue, person)
        assert (answer["code"], answer["reason"], answer["position"]) == ("NOT_ADMITTED", reason, position)
    assert await shop.stock(queue.concert) == [(100, 0, 0), (2, 0, 0)]


async def test_pass_for_another_person_or_concert_is_refused(shop: Shop) -> None:
    queue = await open_queue(shop)
    other = await open_queue(shop, suffix=queue.suffix)
    of_alice = await queue.admitted("alice")
    elsewhere = await other.admitted("bob")
    access_token = shop.token(queue.name("bob"))
    for bad in (of_alice, elsewhere, access_token, of_alice[:-4] + "AAAA", "", "x" * 5_000):
        answer = await hold_with_pass(queue, "bob", bad)
        assert (answer["__typename"], answer["reason"]) == ("NotAdmittedError", "BAD_PASS"), bad
    assert await shop.stock(queue.concert) == [(100, 0, 0), (2, 0, 0)]


async def test_pass_is_not_an_access_token(shop: Shop) -> None:
    queue = await open_queue(shop)
    token = await queue.admitted("alice")
    answer = await shop.client.post(
        "/graphql", json={"query": "{ me { name } }"}, headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 401


async def test_purchase_spends_the_pass(shop: Shop) -> None:
    queue = await open_queue(shop)
    token = await queue.admitted("alice")
    held, buyer = (await hold_with_pass(queue, "alice", token))["hold"], queue.name("alice")
    assert (await shop.buy({"holdId": held["id"]}, by=buyer))["__typename"] == "PurchaseTicketsSuccess"
    spent = await queue.read_entry("alice")
    assert (spent["state"], spent["pass"]["status"], spent["pass"]["token"]) == (
        "COMPLETED",
        "TRANSACTION_COMPLETE",
        None,
    )
    assert (await hold_with_pass(queue, "alice", token))["reason"] == "BAD_PASS"
    assert await shop.stock(queue.concert) == [(99, 0, 1), (2, 0, 0)]


async def test_purchase_without_a_hold_needs_and_spends_the_pass(shop: Shop) -> None:
    queue = await open_queue(shop)
    input_: dict[str, object] = {"concertId": queue.concert.id, "lines": lines(queue.concert, 2)}
    buyer = queue.name("alice")
    refused = await shop.buy(input_, by=buyer)
    assert refused["code"] == "NOT_ADMITTED"
    bought = await shop.buy({**input_, "queuePass": await queue.admitted("alice")}, by=buyer)
    assert bought["__typename"] == "PurchaseTicketsSuccess"
    assert (await queue.read_entry("alice"))["state"] == "COMPLETED"
    assert await shop.stock(queue.concert) == [(98, 0, 2), (2, 0, 0)]


async def test_queue_cannot_be_joined_if_the_room_is_off_or_the_sale_is_over(shop: Shop) -> None:
    now = datetime.now(UTC)
    over = {"salesStartAt": moment(now - timedelta(days=2)), "salesEndAt": moment(now - timedelta(days=1))}
    closed = await shop.on_sale(waitingRoom={"suspended": False})
    await shop.fields(CLOSE, by="olivia", input={"concertId": closed.id})
    for concert in (
        await shop.on_sale(),
        await shop.on_sale(waitingRoom={"suspended": False}, **over),
        closed,
    ):
        queue = QueueUsers(shop, concert, new_key())
        answer = await queue.result("joinQueue", "alice")
        assert (answer["__typename"], answer["code"]) == ("RoomNotOpenError", "ROOM_NOT_OPEN")
        assert await queue.read_entry("alice") is None


async def test_queue_can_be_joined_before_the_sale(shop: Shop) -> None:
    opens = moment(datetime.now(UTC) + timedelta(hours=1))
    queue = QueueUsers(shop, await shop.on_sale(waitingRoom={"suspended": False}, salesStartAt=opens), new_key())
    assert [entry["position"] for entry in await queue.join("alice", "bob")] == [1, 2]


@pytest.mark.parametrize("verb", list(VERBS))
async def test_malformed_and_unknown_concert_ids_are_refused(shop: Shop, verb: str) -> None:
    for id_, code in (("nonsense", "INVALID_INPUT"), (UNKNOWN_CONCERT, "NOT_FOUND")):
        answer = (await shop.fields(VERBS[verb], by="alice", input={"concertId": id_}))[verb]
        assert answer["code"] == code
        assert [problem["path"] for problem in answer.get("problems", [])] == ["concertId"] * (code == "INVALID_INPUT")


@pytest.mark.parametrize("verb", list(VERBS))
async def test_anonymous_clients_cannot_change_a_queue(shop: Shop, verb: str) -> None:
    queue = await open_queue(shop)
    await queue.join("alice")
    before = await queue.room()
    answer = await queue.ask(verb, None)
    assert answer["data"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]
    assert await queue.room() == before


async def test_anonymous_clients_see_the_room_but_no_entry(shop: Shop) -> None:
    queue = await open_queue(shop)
    (entry,) = await queue.join("alice")
    document = """query ($id: ID!, $entry: ID!) {
      waitingRoom(concertId: $id) { waitingCount }
      queueEntry(concertId: $id) { id }
      node(id: $entry) { id }
    }"""
    answer = await shop.ask(document, id=queue.concert.id, entry=entry["id"])
    assert answer["data"] == {"waitingRoom": {"waitingCount": 1}, "queueEntry": None, "node": None}
    assert [error["path"] for error in answer["errors"]] == [["node"]]
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"UNAUTHENTICATED"}


async def test_subscription_without_a_stream_is_refused(shop: Shop) -> None:
    queue = await open_queue(shop)
    document = "subscription ($id: ID!) { stockChanged(concertId: $id) { version } }"
    answer = await shop.ask(document, id=queue.concert.id)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
    assert "data" not in answer


async def test_purchase_needs_no_pass_if_the_room_is_off(shop: Shop) -> None:
    concert = await shop.on_sale()
    input_ = {"concertId": concert.id, "lines": lines(concert, 1), "queuePass": None}
    bought = (await shop.fields(PURCHASE, by="alice", input=input_ | customer_input()))["purchaseTickets"]
    assert bought["__typename"] == "PurchaseTicketsSuccess"


@pytest.mark.parametrize("verb", VERBS)
async def test_queue_mutations_do_not_find_a_draft(shop: Shop, verb: str) -> None:
    queue = QueueUsers(shop, await shop.draft(waitingRoom={"suspended": False}), new_key())
    answer = await queue.result(verb, "ann")
    assert (answer["__typename"], answer["code"]) == ("NotFoundError", "NOT_FOUND")
    assert await queue.read_entry("ann") is None
