"""Subscriptions to one document with other variables or by other people: each gets its own payload,
however the payloads are shared.
"""

from contextlib import AsyncExitStack

import orjson
import pytest

from tests.support.shop import FREE, Shop
from tests.support.shop_mutations import hold_input
from tests.support.shop_socket import open_client
from tests.support.sockets import Client, Message

pytestmark = pytest.mark.asyncio(loop_scope="module")

STOCK = """
subscription Stock($id: ID!, $tiers: Boolean = true, $sold: Boolean! = false) {
  stockChanged(concertId: $id) {
    soldOut
    tiers @include(if: $tiers) { available held @skip(if: $sold) sold @include(if: $sold) }
  }
}
"""
TIERS = "subscription ($id: ID!) { stockChanged(concertId: $id) { tiers { available } } }"
HOLDS = "subscription ($id: ID!) { holdChanged(concertId: $id) { id state lines { quantity } } }"
HOLD_ID = """
mutation ($input: HoldTicketsInput!) { holdTickets(input: $input) { ... on HoldTicketsSuccess { hold { id } } } }
"""

HELD = {"soldOut": False, "tiers": [{"available": 99, "held": 1}, {"available": 2, "held": 0}]}
SOLD = {"soldOut": False, "tiers": [{"available": 99, "sold": 0}, {"available": 2, "sold": 0}]}
NO_TIERS = {"soldOut": False}
SHOWN: dict[str, object] = {
    '{"id":ID}': HELD,
    '{"id":ID,"tiers":true}': HELD,
    '{"tiers":true,"id":ID}': HELD,
    '{"sold":false,"tiers":true,"id":ID}': HELD,
    '{"id":ID,"other":1.0}': HELD,
    '{"id":ID,"other":"1"}': HELD,
    '{"id":"1","id":ID}': HELD,
    '{"\\u0069d":ID}': HELD,
    '{"id":ID,"sold":true}': SOLD,
    '{"sold":true,"tiers":true,"id":ID}': SOLD,
    '{"id":ID,"tiers":false}': NO_TIERS,
    '{"id":ID,"tiers":false,"sold":true}': NO_TIERS,
}
REFUSED = [
    '{"id":ID,"tiers":1}',
    '{"id":ID,"tiers":1.0}',
    '{"id":ID,"tiers":"true"}',
    '{"id":ID,"tiers":[true]}',
    '{"id":ID,"sold":null}',
    '{"id":null}',
    '{"id":1}',
    '{"id":1.0}',
    '{"id":1.5}',
    '{"id":true}',
    '{"ID":ID}',
    "{}",
]


async def test_each_form_of_the_variables_gets_the_payload_it_asks_for(shop: Shop) -> None:
    """The second client subscribes in the opposite order, so that other forms begin the groups."""
    concert = await shop.on_sale()
    async with open_client(shop) as first, open_client(shop) as second:
        for client, forms in ((first, list(SHOWN)), (second, list(SHOWN)[::-1])):
            for form in forms:
                await client.send(subscribing(form, concert.id))
                assert (await client.receive())["id"] == form
        await shop.hold(concert, 1)
        for client in (first, second):
            received = [await client.receive() for _ in SHOWN]
            assert {message["id"]: stock_of(message) for message in received} == SHOWN


async def test_variables_of_another_type_are_refused_and_change_nothing(shop: Shop) -> None:
    concert = await shop.on_sale()
    async with open_client(shop) as client:
        await client.send(subscribing('{"id":ID}', concert.id))
        assert (await client.receive())["type"] == "next"
        for form in REFUSED:
            await client.send(subscribing(form, concert.id))
            error = await client.receive()
            assert (error["id"], error["type"]) == (form, "error")
            assert [one["extensions"]["code"] for one in error["payload"]] == ["BAD_USER_INPUT"]
        await shop.hold(concert, 1)
        assert stock_of(await client.receive()) == HELD


async def test_null_for_a_condition_is_an_error_only_in_its_own_payloads(shop: Shop) -> None:
    """A variable with a default may be null, so only the execution finds the error."""
    concert = await shop.on_sale()
    async with open_client(shop) as client:
        for form in ('{"id":ID,"tiers":null}', '{"id":ID}'):
            await client.send(subscribing(form, concert.id))
            assert (await client.receive())["id"] == form
        await shop.hold(concert, 1)
        received = {message["id"]: message for message in [await client.receive() for _ in range(2)]}
        assert stock_of(received['{"id":ID}']) == HELD
        failed = received['{"id":ID,"tiers":null}']
        assert (failed["type"], failed["payload"]["data"]) == ("next", None)
        assert [error["extensions"]["code"] for error in failed["payload"]["errors"]] == ["BAD_USER_INPUT"]


async def test_only_the_organizer_and_admins_get_hidden_tiers(shop: Shop) -> None:
    hidden = {"name": "Guests", "priceMinor": 0, "capacity": 7, "isHidden": True}
    concert = await shop.on_sale(tiers=[*FREE, hidden])
    people = {None: 2, "alice": 2, "otto": 2, "gus": 2, "olivia": 3, "ada": 3}
    async with AsyncExitStack() as stack:
        clients: dict[str | None, Client] = {}
        for name in [*people, *reversed(people)]:
            client = await stack.enter_async_context(open_client(shop, shop.token(name) if name else None))
            await client.subscribe("s", TIERS, id=concert.id)
            assert len(stock_of(await client.receive())["tiers"]) == people[name]
            clients.setdefault(name, client)
        await shop.hold(concert, 1)
        pushed = {name: stock_of(await client.receive()) for name, client in clients.items()}
    available = [{"available": 99}, {"available": 2}, {"available": 7}]
    assert pushed == {name: {"tiers": available[:count]} for name, count in people.items()}


async def test_each_person_gets_only_their_own_holds(shop: Shop) -> None:
    """All subscriptions have the same document and variables."""
    concert = await shop.on_sale()
    quantities = {"alice": 1, "bob": 2, "olivia": 3}
    async with AsyncExitStack() as stack:
        clients = []
        for name in [*quantities, *reversed(quantities)]:
            client = await stack.enter_async_context(open_client(shop, shop.token(name)))
            await client.subscribe("s", HOLDS, id=concert.id)
            await client.subscribe("fence", "{ serverTime }")
            assert [(await client.receive())["id"] for _ in range(2)] == ["fence", "fence"]
            clients.append((name, client))
        made = {}
        for name, quantity in quantities.items():
            held = await shop.fields(HOLD_ID, by=name, input=hold_input(concert, quantity))
            made[name] = held["holdTickets"]["hold"]["id"]
        for name, client in clients:
            hold = (await client.receive())["payload"]["data"]["holdChanged"]
            assert hold == {"id": made[name], "state": "HELD", "lines": [{"quantity": quantities[name]}]}
            await client.subscribe("fence", "{ serverTime }")
            assert [(await client.receive())["id"] for _ in range(2)] == ["fence", "fence"]


def subscribing(form: str, concert_id: str) -> str:
    """Return a message whose variables are sent exactly as written. The form is also the id."""
    id_, document = orjson.dumps(form).decode(), orjson.dumps(STOCK).decode()
    variables = form.replace(":ID", f':"{concert_id}"')
    return f'{{"id":{id_},"type":"subscribe","payload":{{"query":{document},"variables":{variables}}}}}'


def stock_of(message: Message) -> Message:
    assert message["type"] == "next", message
    return message["payload"]["data"]["stockChanged"]
