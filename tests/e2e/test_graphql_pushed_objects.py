"""A push shows the objects that a query shows: the same ids, and the same numbers at a version."""

from collections.abc import Mapping

import pytest

from schema.ids import of_viewer
from tests.support.normalized import objects_by_id
from tests.support.queue_users import open_queue
from tests.support.room_admin import open_room_admin
from tests.support.shop import PRICED, Answer, OnSale, Shop, lines, new_key, person_id
from tests.support.shop_mutations import customer_input, hold_input
from tests.support.shop_socket import open_client
from tests.support.sockets import Client
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONCERT = "id version epoch slug name startsAt status"
TIER = "id version epoch name capacity available held sold price { minor currency }"
STOCK = f"""
  version epoch soldOut priceRange {{ lowest {{ minor }} }}
  tiers {{ tierId capacity available held sold price {{ minor currency }} tier {{ {TIER} }} }}
"""
ENTRY = f"""
  id version epoch number state position joinedAt expiresAt endReason round lot stockAhead
  estimatedWait {{ p50Seconds p90Seconds }} pass {{ token status expiresAt }} concert {{ {CONCERT} }}
"""
LINES = "lines { tierId quantity tier { id name } unitPrice { minor } }"
HOLD = f"id version epoch state reason createdAt expiresAt total {{ minor }} {LINES} concert {{ {CONCERT} }}"
ORDER = f"id version epoch number status createdAt total {{ minor }} {LINES} concert {{ {CONCERT} }}"
ROOM = f"version epoch status servingNumber waitingCount slotsTaken round concert {{ {CONCERT} }}"
PAGE = f"""query ($id: ID!) {{
  concert(id: $id) {{ {CONCERT} tiers {{ {TIER} }} stock {{ {STOCK} }} waitingRoom {{ {ROOM} }} }}
  queueEntry(concertId: $id) {{ {ENTRY} }}
  me {{ id name holds {{ {HOLD} }} queueEntries {{ {ENTRY} }} orders {{ nodes {{ {ORDER} }} }} }}
}}"""
STOCK_CHANGED = f"subscription ($id: ID!) {{ stockChanged(concertId: $id) {{ {STOCK} concert {{ {CONCERT} }} }} }}"
SALE_CHANGED = """subscription ($id: ID!) {
  stockChanged(concertId: $id) { version concert { status waitingRoom { status waitingCount } } }
}"""
CLOSED = {"status": "CLOSED", "waitingCount": 0}
CLOSE = "mutation ($input: CloseConcertInput!) { closeConcert(input: $input) { __typename } }"
CANCEL = "mutation ($input: CancelConcertInput!) { cancelConcert(input: $input) { __typename } }"
QUEUE_POSITION = f"""subscription ($id: ID!) {{
  queuePosition(concertId: $id) {{
    version epoch state stock {{ {STOCK} }}
    entry {{ {ENTRY} concert {{ stock {{ {STOCK} }} waitingRoom {{ {ROOM} }} tiers {{ {TIER} }} }} }}
  }}
}}"""
HOLD_CHANGED = f"subscription ($id: ID!) {{ holdChanged(concertId: $id) {{ {HOLD} }} }}"
ORDER_UPDATED = f"subscription ($id: ID!) {{ orderUpdated(orderId: $id) {{ {ORDER} }} }}"
ROOM_CHANGED = f"""subscription ($id: ID!) {{
  waitingRoomChanged(concertId: $id) {{ {ROOM} concert {{ waitingRoom {{ {ROOM} }} }} }}
}}"""
SALES_CHANGED = "subscription ($id: ID!) { salesChanged(concertId: $id) { version epoch orders tiers { tierId } } }"
TAKE = f"""mutation ($input: HoldTicketsInput!) {{
  holdTickets(input: $input) {{
    __typename ... on HoldTicketsSuccess {{ hold {{ {HOLD} }} concert {{ {CONCERT} tiers {{ {TIER} }} }} }}
  }}
}}"""
BUY = f"""mutation ($input: PurchaseTicketsInput!) {{
  purchaseTickets(input: $input) {{
    __typename
    ... on PurchaseTicketsSuccess {{ order {{ {ORDER} }} hold {{ {HOLD} }} entry {{ {ENTRY} }} }}
  }}
}}"""
NODE = "query ($id: ID!) { node(id: $id) { __typename id ... on Viewer { name } } }"


async def pushed(client: Client, field: str, **expected: object) -> Answer:
    """Return the first payload with these values. Its versions never decrease."""
    version = 0
    while True:
        message = await client.receive()
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        found = message["payload"]["data"][field]
        assert found["version"] >= version
        version = found["version"]
        if {name: found[name] for name in expected} == expected:
            return found


async def take(shop: Shop, concert: OnSale, *quantities: int, by: str, **more: object) -> Answer:
    answer = await shop.fields(TAKE, by=by, input=hold_input(concert, *quantities) | more)
    assert answer["holdTickets"]["__typename"] == "HoldTicketsSuccess", answer
    return answer["holdTickets"]


async def buy(shop: Shop, *, by: str, **what: object) -> Answer:
    answer = await shop.fields(BUY, by=by, input=customer_input() | what)
    assert answer["purchaseTickets"]["__typename"] == "PurchaseTicketsSuccess", answer
    return answer["purchaseTickets"]


def newer(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    return (one["epoch"], one["version"]) > (other["epoch"], other["version"])


def assert_same(push: Answer, query: Answer, *kinds: str) -> None:
    """Check that each pushed object also occurs in the query and is equal at the same version."""
    from_push, from_query = objects_by_id(push), objects_by_id(query)
    assert from_push.keys() <= from_query.keys()
    assert set(kinds) <= from_push.keys()
    for id_, fields in from_push.items():
        common = fields.keys() & from_query[id_].keys()
        if "version" not in common or not newer(from_query[id_], fields):
            assert {name: fields[name] for name in common} == {name: from_query[id_][name] for name in common}


async def test_pushed_stock_shows_the_tiers_of_the_page(shop: Shop) -> None:
    concert = await shop.on_sale(tiers=PRICED)
    async with open_client(shop) as client:
        await client.subscribe("s", STOCK_CHANGED, id=concert.id)
        await pushed(client, "stockChanged")
        held = await take(shop, concert, 3, 1, by="alice")
        push = await pushed(client, "stockChanged", version=held["concert"]["tiers"][0]["version"])
    page = await shop.fields(PAGE, id=concert.id)
    assert [tier["tierId"] for tier in push["tiers"]] == [tier["tier"]["id"] for tier in push["tiers"]]
    assert push["tiers"] == page["concert"]["stock"]["tiers"]
    assert [tier["tier"] for tier in push["tiers"]] == page["concert"]["tiers"] == held["concert"]["tiers"]
    assert [(tier["available"], tier["held"], tier["sold"]) for tier in page["concert"]["tiers"]] == [
        (97, 3, 0),
        (1, 1, 0),
    ]
    assert_same(push, page, concert.id, *concert.tiers)


async def test_visitor_is_pushed_the_pause_and_the_end_of_a_sale(shop: Shop) -> None:
    admin, queue = await open_room_admin(shop)
    ended = {"input": {"concertId": admin.concert.id}}

    async def pushed_sale(client: Client, status: str, room: str) -> None:
        shown = {"status": room, "waitingCount": 1}
        await pushed(client, "stockChanged", concert={"status": status, "waitingRoom": shown})

    async with open_client(shop) as client:
        await queue.join("ann")
        await client.subscribe("s", SALE_CHANGED, id=admin.concert.id)
        await pushed_sale(client, "PUBLISHED", "OPEN")
        await admin.pause()
        await pushed_sale(client, "PUBLISHED", "PAUSED")
        await admin.resume()
        await pushed_sale(client, "PUBLISHED", "OPEN")
        await shop.fields(CLOSE, by="olivia", **ended)
        await pushed(client, "stockChanged", concert={"status": "CLOSED", "waitingRoom": CLOSED})
        await shop.fields(CANCEL, by="olivia", **ended)
        await pushed(client, "stockChanged", concert={"status": "CANCELLED", "waitingRoom": CLOSED})


async def test_pushed_position_shows_the_queried_entry(shop: Shop) -> None:
    queue = await open_queue(shop, totalActiveUsers=1)
    ben, id_ = queue.name("ben"), queue.concert.id
    pass_ = await queue.admitted("ann")
    (joined,) = await queue.join("ben")
    async with open_client(shop, shop.token(ben)) as client:
        await client.subscribe("q", QUEUE_POSITION, id=id_)
        waiting = await pushed(client, "queuePosition", state="WAITING")
        assert waiting["entry"]["id"] == joined["id"]
        assert (waiting["entry"]["position"], waiting["entry"]["expiresAt"]) == (1, None)

        async def is_connected() -> bool:
            entry = (await shop.fields(PAGE, by=ben, id=id_))["queueEntry"]
            return bool(entry["expiresAt"] is None)

        await wait_until(is_connected, what="the recorded connection")
        page = await shop.fields(PAGE, by=ben, id=id_)
        assert objects_by_id(waiting).keys() <= objects_by_id(page).keys()
        assert {**page["queueEntry"], "version": 0} == {
            **{name: waiting["entry"][name] for name in page["queueEntry"]},
            "concert": page["queueEntry"]["concert"],
            "version": 0,
        }
        assert not newer(waiting["entry"], page["queueEntry"])
        await queue.result("leaveQueue", "ann")
        ready = await pushed(client, "queuePosition", state="READY")
        assert_same(ready, await shop.fields(PAGE, by=ben, id=id_), joined["id"], id_)
        claimed = (await queue.result("claimQueuePass", "ben"))["entry"]
        admitted = await pushed(client, "queuePosition", state="ADMITTED")
        assert (claimed["id"], claimed["pass"]["token"]) == (joined["id"], admitted["entry"]["pass"]["token"])
        bought = await buy(
            shop, by=ben, concertId=id_, lines=lines(queue.concert, 1), queuePass=claimed["pass"]["token"]
        )
        completed = await pushed(client, "queuePosition", state="COMPLETED")
    assert pass_ != claimed["pass"]["token"]
    assert (bought["entry"]["id"], bought["entry"]["state"], bought["entry"]["endReason"]) == (
        joined["id"],
        "COMPLETED",
        "SPENT",
    )
    assert_same(completed, await shop.fields(PAGE, by=ben, id=id_), joined["id"])


async def test_pushed_hold_is_the_hold_of_the_mutations(shop: Shop) -> None:
    concert, carl = await shop.on_sale(), new_key()
    async with open_client(shop, shop.token(carl)) as client:
        await client.subscribe("h", HOLD_CHANGED, id=concert.id)
        taken = await take(shop, concert, 2, by=carl)
        held = await pushed(client, "holdChanged", state="HELD")
        assert held == taken["hold"]
        page = await shop.fields(PAGE, by=carl, id=concert.id)
        assert page["me"]["holds"] == [held]
        bought = await buy(shop, by=carl, holdId=held["id"])
        sold = await pushed(client, "holdChanged", state="SOLD")
    assert (bought["hold"]["id"], bought["hold"]["state"], bought["entry"]) == (held["id"], "SOLD", None)
    assert newer(sold, held)
    assert not newer(held, bought["hold"])
    assert bought["order"]["lines"] == held["lines"]


async def test_pushed_order_equals_the_queried_order(shop: Shop) -> None:
    concert, dora = await shop.on_sale(), new_key()
    bought = await buy(shop, by=dora, concertId=concert.id, lines=lines(concert, 1))
    async with open_client(shop, shop.token(dora)) as client:
        await client.subscribe("o", ORDER_UPDATED, id=bought["order"]["id"])
        push = await pushed(client, "orderUpdated", status="PAID")
    page = await shop.fields(PAGE, by=dora, id=concert.id)
    assert page["me"]["orders"]["nodes"] == [push] == [bought["order"]]
    assert push["epoch"] == 0


async def test_pushed_room_is_the_room_of_the_concert(shop: Shop) -> None:
    queue = await open_queue(shop)
    async with open_client(shop, shop.token("olivia")) as client:
        await client.subscribe("r", ROOM_CHANGED, id=queue.concert.id)
        await pushed(client, "waitingRoomChanged")
        await queue.join("eve", "finn")
        push = await pushed(client, "waitingRoomChanged", waitingCount=2)
    page = await shop.fields(PAGE, by="olivia", id=queue.concert.id)
    shown = push["concert"].pop("waitingRoom")
    assert {name: shown[name] for name in ("version", "epoch", "waitingCount")} == {
        name: push[name] for name in ("version", "epoch", "waitingCount")
    }
    assert_same(push, page, queue.concert.id)
    assert {**page["concert"]["waitingRoom"], "version": 0} == {**push, "version": 0}


async def test_pushed_sales_name_the_tiers_of_the_concert(shop: Shop) -> None:
    concert = await shop.on_sale()
    async with open_client(shop, shop.token("olivia")) as client:
        await client.subscribe("s", SALES_CHANGED, id=concert.id)
        push = await pushed(client, "salesChanged", orders=0)
    assert [tier["tierId"] for tier in push["tiers"]] == list(concert.tiers)
    assert (push["version"], push["epoch"]) == (0, 0)


async def test_only_the_viewer_can_read_their_own_node(shop: Shop) -> None:
    mine = (await shop.fields("{ me { id name } }", by="gina"))["me"]
    assert mine["id"] == of_viewer(person_id("gina"))
    assert mine["id"] != (await shop.fields("{ me { id } }", by="hugo"))["me"]["id"]
    found = await shop.fields(NODE, by="gina", id=mine["id"])
    assert found["node"] == {"__typename": "Viewer", "id": mine["id"], "name": "gina"}
    for other in ("hugo", "olivia", "ada"):
        assert (await shop.fields(NODE, by=other, id=mine["id"]))["node"] is None
    refused = await shop.ask(NODE, id=mine["id"])
    assert refused["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
