"""A line through the face: join, wait, be called, claim, hold, buy; and each way to be turned away."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.queue_users import VERBS, QueueUsers, open_queue
from tests.support.shop import HOLD, PURCHASE, Answer, Shop, lines, moment, new_key

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLOSE = "mutation ($input: CloseConcertInput!) { closeConcert(input: $input) { __typename } }"
MINE = "{ me { queueEntries { number concert { id } } } }"
NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"


async def test_a_place_is_given_once(shop: Shop) -> None:
    queue = await open_queue(shop)
    before = datetime.now(UTC)
    first, again, second = await queue.join("alice", "alice", "bob")
    assert (first["number"], first["state"], first["position"], first["pass"]) == (1, "WAITING", 1, None)
    assert again["id"] == first["id"]
    assert (second["number"], second["position"]) == (2, 2)
    assert first["concert"] == {"id": queue.concert.id}
    assert timedelta(seconds=-1) < datetime.fromisoformat(first["joinedAt"]) - before < timedelta(seconds=5)
    assert 25 <= first["expiresInSeconds"] <= 30
    assert (await queue.room())["waitingCount"] == 2


async def test_a_place_is_found_again(shop: Shop) -> None:
    queue = await open_queue(shop)
    (entry,) = await queue.join("alice")
    assert (await queue.place("alice"))["id"] == entry["id"]
    assert await queue.place("bob") is None
    mine = (await shop.fields(MINE, by=queue.name("alice")))["me"]["queueEntries"]
    assert mine == [{"number": 1, "concert": {"id": queue.concert.id}}]
    found = (await shop.fields(NODE, by=queue.name("alice"), id=entry["id"]))["node"]
    assert found == {"__typename": "QueueEntry", "id": entry["id"]}


async def test_a_place_of_somebody_else_is_not_found(shop: Shop) -> None:
    queue = await open_queue(shop)
    (entry, _) = await queue.join("alice", "bob")
    for who in (queue.name("bob"), queue.name("carol"), "olivia"):
        assert (await shop.fields(NODE, by=who, id=entry["id"]))["node"] is None


async def test_who_leaves_moves_the_others_up_and_comes_back_behind_them(shop: Shop) -> None:
    queue = await open_queue(shop)
    await queue.join("alice", "bob")
    left = (await queue.result("leaveQueue", "alice"))["entry"]
    assert (left["state"], left["position"], left["expiresAt"]) == ("LEFT", None, None)
    assert (await queue.place("bob"))["position"] == 1
    (back,) = await queue.join("alice")
    assert (back["number"], back["position"]) == (3, 2)


@pytest.mark.parametrize("verb", ["leaveQueue", "heartbeat", "claimQueuePass"])
async def test_who_has_no_place_is_told_to_join(shop: Shop, verb: str) -> None:
    queue = await open_queue(shop)
    await queue.join("alice")
    before = await queue.room()
    answer = await queue.result(verb, "bob")
    assert (answer["__typename"], answer["code"], answer["retryable"]) == ("NotInQueueError", "NOT_IN_QUEUE", False)
    assert await queue.room() == before


async def test_a_heartbeat_keeps_the_place(shop: Shop) -> None:
    queue = await open_queue(shop)
    (entry,) = await queue.join("alice")
    living = (await queue.result("heartbeat", "alice"))["entry"]
    assert (living["id"], living["state"]) == (entry["id"], "WAITING")
    assert living["expiresAt"] >= entry["expiresAt"]


async def test_who_was_not_called_claims_nothing(shop: Shop) -> None:
    queue = await open_queue(shop)
    await queue.join("alice", "bob")
    answer = await queue.result("claimQueuePass", "bob")
    assert (answer["code"], answer["reason"], answer["position"]) == ("NOT_ADMITTED", "NOT_CALLED", 2)
    assert (await queue.room())["passesIssued"] == 0


async def test_who_is_called_claims_one_pass(shop: Shop) -> None:
    queue = await open_queue(shop, totalActiveUsers=1)
    await queue.join("alice", "bob")
    await queue.call()
    called = await queue.place("alice")
    assert (called["state"], called["position"], called["pass"]) == ("READY", 0, None)
    assert 55 <= called["expiresInSeconds"] <= 60
    first = (await queue.result("claimQueuePass", "alice"))["entry"]
    again = (await queue.result("claimQueuePass", "alice"))["entry"]
    assert first["state"] == "ADMITTED"
    assert first["pass"]["token"] == again["pass"]["token"] == (await queue.place("alice"))["pass"]["token"]
    assert 295 <= first["pass"]["expiresInSeconds"] <= 300
    room = await queue.room()
    assert (room["servingNumber"], room["slotsTaken"], room["passesIssued"], room["waitingCount"]) == (1, 1, 1, 1)
    assert (await queue.place("bob"))["position"] == 1


async def hold(queue: QueueUsers, by: str, *, queue_pass: str | None = None) -> Answer:
    wish = {"concertId": queue.concert.id, "lines": lines(queue.concert, 1), "idempotencyKey": new_key()}
    document = HOLD.replace("... on SoldOutError", "... on NotAdmittedError { position reason } ... on SoldOutError")
    return (await queue.shop.fields(document, by=queue.name(by), input=wish | {"queuePass": queue_pass}))["holdTickets"]


async def test_without_a_pass_nobody_holds(shop: Shop) -> None:
    queue = await open_queue(shop)
    await queue.join("alice", "bob")
    for who, reason, position in (("bob", "NOT_CALLED", 2), ("carol", "NO_PASS", None)):
        answer = await hold(queue, who)
        assert (answer["code"], answer["reason"], answer["position"]) == ("NOT_ADMITTED", reason, position)
    assert await shop.stock(queue.concert) == [(100, 0, 0), (2, 0, 0)]


async def test_a_pass_that_is_not_mine_here_and_now_is_no_pass(shop: Shop) -> None:
    queue = await open_queue(shop)
    other = await open_queue(shop, crowd=queue.crowd)
    of_alice = await queue.admitted("alice")
    elsewhere = await other.admitted("bob")
    access_token = shop.token(queue.name("bob"))
    for bad in (of_alice, elsewhere, access_token, of_alice[:-4] + "AAAA", "", "x" * 5_000):
        answer = await hold(queue, "bob", queue_pass=bad)
        assert (answer["__typename"], answer["reason"]) == ("NotAdmittedError", "BAD_PASS"), bad
    assert await shop.stock(queue.concert) == [(100, 0, 0), (2, 0, 0)]


async def test_a_pass_is_no_access_token(shop: Shop) -> None:
    queue = await open_queue(shop)
    token = await queue.admitted("alice")
    answer = await shop.client.post(
        "/graphql", json={"query": "{ me { name } }"}, headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 401


async def test_a_purchase_spends_the_pass(shop: Shop) -> None:
    queue = await open_queue(shop)
    token = await queue.admitted("alice")
    held, buyer = (await hold(queue, "alice", queue_pass=token))["hold"], queue.name("alice")
    assert (await shop.buy({"holdId": held["id"]}, by=buyer))["__typename"] == "PurchaseTicketsSuccess"
    spent = await queue.place("alice")
    assert (spent["state"], spent["pass"]["status"], spent["pass"]["token"]) == (
        "COMPLETED",
        "TRANSACTION_COMPLETE",
        None,
    )
    assert (await hold(queue, "alice", queue_pass=token))["reason"] == "BAD_PASS"
    assert await shop.stock(queue.concert) == [(99, 0, 1), (2, 0, 0)]


async def test_a_purchase_of_lines_takes_the_pass(shop: Shop) -> None:
    queue = await open_queue(shop)
    wish: dict[str, object] = {"concertId": queue.concert.id, "lines": lines(queue.concert, 2)}
    buyer = queue.name("alice")
    refused = await shop.buy(wish, by=buyer)
    assert refused["code"] == "NOT_ADMITTED"
    bought = await shop.buy({**wish, "queuePass": await queue.admitted("alice")}, by=buyer)
    assert bought["__typename"] == "PurchaseTicketsSuccess"
    assert (await queue.place("alice"))["state"] == "COMPLETED"
    assert await shop.stock(queue.concert) == [(98, 0, 2), (2, 0, 0)]


async def test_there_is_no_line_to_join_where_the_room_is_off_or_the_sale_is_over(shop: Shop) -> None:
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
        assert await queue.place("alice") is None


async def test_a_line_forms_before_the_sale(shop: Shop) -> None:
    opens = moment(datetime.now(UTC) + timedelta(hours=1))
    queue = QueueUsers(shop, await shop.on_sale(waitingRoom={"suspended": False}, salesStartAt=opens), new_key())
    assert [entry["position"] for entry in await queue.join("alice", "bob")] == [1, 2]


async def test_who_joins_too_often_is_told_to_wait_and_keeps_the_place(shop: Shop) -> None:
    queue = await open_queue(shop)
    answers = [await queue.ask("joinQueue", "dora") for _ in range(25)]
    refused = [answer["errors"][0]["extensions"] for answer in answers if "errors" in answer]
    assert len(refused) == 5
    assert {extensions["code"] for extensions in refused} == {"RATE_LIMITED"}
    assert all(1 <= extensions["retryAfterSeconds"] <= 10 for extensions in refused)
    assert (await queue.place("dora"))["number"] == 1
    assert (await queue.join("alice"))[0]["number"] == 2


@pytest.mark.parametrize("verb", list(VERBS))
async def test_bad_and_unknown_ids(shop: Shop, verb: str) -> None:
    for id_, code in (("nonsense", "INVALID_INPUT"), ("Q29uY2VydDp6enp6enp6enp6eno", "NOT_FOUND")):
        answer = (await shop.fields(VERBS[verb], by="alice", input={"concertId": id_}))[verb]
        assert answer["code"] == code
        assert [problem["path"] for problem in answer.get("problems", [])] == ["concertId"] * (code == "INVALID_INPUT")


@pytest.mark.parametrize("verb", list(VERBS))
async def test_anonymous_people_do_nothing_in_a_line(shop: Shop, verb: str) -> None:
    queue = await open_queue(shop)
    await queue.join("alice")
    before = await queue.room()
    answer = await queue.ask(verb, None)
    assert answer["data"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]
    assert await queue.room() == before


async def test_anonymous_people_see_the_room_and_nobodys_place(shop: Shop) -> None:
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


async def test_a_subscription_is_not_answered_without_a_stream(shop: Shop) -> None:
    queue = await open_queue(shop)
    document = "subscription ($id: ID!) { stockChanged(concertId: $id) { version } }"
    answer = await shop.ask(document, id=queue.concert.id)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
    assert "data" not in answer


async def test_purchases_without_a_room_need_no_pass(shop: Shop) -> None:
    concert = await shop.on_sale()
    wish = {"concertId": concert.id, "lines": lines(concert, 1), "queuePass": None}
    customer = {"customerName": "A", "customerEmail": "a@example.org", "idempotencyKey": new_key()}
    bought = (await shop.fields(PURCHASE, by="alice", input=wish | customer))["purchaseTickets"]
    assert bought["__typename"] == "PurchaseTicketsSuccess"


@pytest.mark.parametrize("verb", VERBS)
async def test_a_draft_is_hidden_from_who_would_queue(shop: Shop, verb: str) -> None:
    queue = QueueUsers(shop, await shop.draft(waitingRoom={"suspended": False}), new_key())
    answer = await queue.result(verb, "ann")
    assert (answer["__typename"], answer["code"]) == ("NotFoundError", "NOT_FOUND")
    assert await queue.place("ann") is None
