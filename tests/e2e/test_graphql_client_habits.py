"""Common client habits: empty names, misplaced tokens, and several mistakes in one input."""

from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.support.events import events
from tests.support.shop import Answer, Shop
from tests.support.shop_socket import open_client
from tests.support.sockets import ACK, INIT, PROTOCOL, Client

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
NAMED = "query Q { __typename }"


async def over_socket(shop: Shop, payload: dict[str, Any]) -> Answer:
    async with open_client(shop) as client:
        await client.send({"type": "subscribe", "id": "1", "payload": payload})
        return await client.receive()


def message_and_code(errors: Answer) -> tuple[str, str]:
    (error,) = errors
    assert error["extensions"]["requestId"]
    return error["message"], error["extensions"]["code"]


# An empty operation name


async def test_empty_operation_name_counts_as_absent_on_all_transports(shop: Shop) -> None:
    request = {"query": NAMED, "operationName": ""}
    expected = {"data": {"__typename": "Query"}, "extensions": {"cost": {"requested": 1, "limit": 30_000}}}
    assert (await shop.client.post("/graphql", json=request)).json() == expected
    assert (await shop.client.get("/graphql", params=request)).json() == expected
    assert (await over_socket(shop, request))["payload"] == expected
    accept = {"Accept": "text/event-stream"}
    async with events(shop.client, "POST", "/graphql", json=request, headers=accept) as stream:
        assert await stream.receive() == ("next", expected)


async def test_empty_name_of_a_subscription_counts_as_absent(shop: Shop) -> None:
    concert = await shop.on_sale()
    document = "subscription S($id: ID!) { stockChanged(concertId: $id) { soldOut } }"
    payload = {"query": document, "variables": {"id": concert.id}, "operationName": ""}
    assert (await over_socket(shop, payload))["payload"] == {"data": {"stockChanged": {"soldOut": False}}}


async def test_empty_name_is_refused_if_there_are_two_operations(shop: Shop) -> None:
    request = {"query": "query A { __typename } query B { __typename }", "operationName": ""}
    answers = [
        (await shop.client.post("/graphql", json=request)).json()["errors"],
        (await over_socket(shop, request))["payload"],
    ]
    for errors in answers:
        assert message_and_code(errors)[1] == "BAD_USER_INPUT"


# A token in the upgrade request


@pytest.mark.parametrize(
    ("query", "headers", "is_hinted"),
    [
        ("", {"Authorization": "Bearer token"}, True),
        ("?access_token=token", {}, True),
        ("?token=token", {}, True),
        ("?Authorization=Bearer%20token", {}, True),
        ("", {}, False),
        ("?concert=x", {}, False),
    ],
)
async def test_token_in_the_upgrade_request_gets_a_hint_to_use_the_payload(
    shop: Shop, query: str, headers: dict[str, str], is_hinted: bool
) -> None:
    url = str(shop.client.base_url.join(f"/graphql{query}")).replace("http", "ws", 1)
    async with connect(url, subprotocols=[Subprotocol(PROTOCOL)], additional_headers=headers) as connection:
        client = Client(connection)
        await client.send(INIT)
        ack = await client.receive()
        assert ack.get("type") == "connection_ack"
        assert ("connection_init" in ack.get("payload", {}).get("hint", "")) is is_hinted
        await client.send({"type": "subscribe", "id": "1", "payload": {"query": '{ order(id: "x") { id } }'}})
        (error,) = (await client.receive())["payload"]["errors"]
        assert error["extensions"]["code"] == "UNAUTHENTICATED"
        assert "connection_init" in error["message"]


async def test_token_in_connection_init_gets_no_hint(shop: Shop) -> None:
    url = str(shop.client.base_url.join("/graphql")).replace("http", "ws", 1)
    token = shop.token("alice")
    headers = {"Authorization": f"Bearer {token}"}
    async with connect(url, subprotocols=[Subprotocol(PROTOCOL)], additional_headers=headers) as connection:
        client = Client(connection)
        await client.send(INIT | {"payload": headers})
        assert await client.receive() == ACK


@pytest.mark.parametrize(
    ("payload", "is_hinted"),
    [
        ({"AUTHORIZATION": "Bearer token"}, True),
        ({"headers": {"Authorization": "Bearer token"}}, True),
        ({"authToken": "token"}, True),
        ({"access_token": "token"}, True),
        ({"token": "token"}, True),
        ({"Authorization": None, "headers": {"authorization": ""}}, False),
        ({"headers": {"X-Client": "token"}, "concert": "x"}, False),
    ],
)
async def test_token_in_the_wrong_field_of_connection_init_gets_a_hint(
    shop: Shop, payload: dict[str, Any], is_hinted: bool
) -> None:
    url = str(shop.client.base_url.join("/graphql")).replace("http", "ws", 1)
    async with connect(url, subprotocols=[Subprotocol(PROTOCOL)]) as connection:
        client = Client(connection)
        await client.send(INIT | {"payload": payload})
        ack = await client.receive()
        assert ack["type"] == "connection_ack"
        assert ("Authorization: Bearer" in ack.get("payload", {}).get("hint", "")) is is_hinted


# All problems of an input in one answer


@pytest.mark.parametrize(
    ("verb", "input_", "paths"),
    [
        (
            "holdTickets",
            {"concertId": "x", "lines": [{"tierId": "y", "quantity": 0}], "idempotencyKey": ""},
            ["concertId", "lines.0.tierId", "idempotencyKey", "lines.0.quantity"],
        ),
        (
            "purchaseTickets",
            {"holdId": "x", "customerName": "", "customerEmail": "@", "idempotencyKey": "\n"},
            ["holdId", "idempotencyKey", "customerName", "customerEmail"],
        ),
        (
            "purchaseTickets",
            {"concertId": "x", "lines": [], "customerName": "A\tB", "customerEmail": "a@b.de", "idempotencyKey": "k"},
            ["concertId", "customerName", "lines"],
        ),
        (
            "purchaseTickets",
            {"customerName": "", "customerEmail": "a@b.de", "idempotencyKey": "k"},
            ["what", "customerName"],
        ),
        (
            "updateConcert",
            {
                "concertId": "x",
                "name": "",
                "limitPerOrder": 0,
                "tiers": [{"tierId": "y", "capacity": -1}],
                "newTiers": [{"name": "\u200b", "priceMinor": -1, "capacity": 1}],
                "waitingRoom": {"totalActiveUsers": 0, "message": "\u202e"},
            },
            [
                "concertId",
                "tiers.0.tierId",
                "name",
                "limitPerOrder",
                "tiers.0.capacity",
                "newTiers.0.name",
                "newTiers.0.priceMinor",
                "waitingRoom.totalActiveUsers",
                "waitingRoom.message",
            ],
        ),
        (
            "updateConcert",
            {
                "concertId": "x",
                "startsAt": "2030-01-01T00:00:00Z",
                "salesStartAt": "2031-02-01T00:00:00Z",
                "salesEndAt": "2031-01-01T00:00:00Z",
                "tiers": [{"tierId": "y", "name": "A"}, {"tierId": "y", "name": "a"}],
                "newTiers": [
                    {"name": "A", "priceMinor": 100, "capacity": 1},
                    {"name": "B", "priceMinor": 100, "capacity": 1},
                    {"name": "b", "priceMinor": 100, "capacity": 1},
                ],
                "waitingRoom": {
                    "opensAt": "2031-01-15T00:00:00Z",
                    "prequeueStartsAt": "2031-01-16T00:00:00Z",
                    "shuffleAtStart": True,
                    "queueingMethod": "RANDOM",
                },
            },
            [
                "concertId",
                "tiers.0.tierId",
                "tiers.1.tierId",
                "salesEndAt",
                "salesEndAt",
                "tiers.1.name",
                "newTiers.0.name",
                "newTiers.2.name",
                "waitingRoom.opensAt",
                "waitingRoom.opensAt",
                "waitingRoom.prequeueStartsAt",
                "waitingRoom.shuffleAtStart",
            ],
        ),
        ("admitNext", {"concertId": "x", "count": 0, "idempotencyKey": ""}, ["concertId", "idempotencyKey", "count"]),
        (
            "configureWaitingRoom",
            {"concertId": "x", "settings": {"sessionDurationSeconds": 0, "message": "\x00"}},
            ["concertId", "settings.sessionDurationSeconds", "settings.message"],
        ),
        (
            "resetWaitingRoom",
            {"concertId": "x", "idempotencyKey": "", "settings": {"message": "\u2066"}},
            ["concertId", "idempotencyKey", "settings.message"],
        ),
    ],
)
async def test_malformed_id_does_not_hide_other_problems(
    shop: Shop, verb: str, input_: dict[str, object], paths: list[str]
) -> None:
    type_ = verb[0].upper() + verb[1:]
    document = f"""mutation ($input: {type_}Input!) {{
      {verb}(input: $input) {{ __typename ... on InvalidInputError {{ problems {{ path message }} }} }}
    }}"""
    answer = (await shop.fields(document, by="olivia", input=input_))[verb]
    assert [problem["path"] for problem in answer["problems"]] == paths


async def test_malformed_tier_id_does_not_hide_conflicting_times(shop: Shop) -> None:
    concert = await shop.on_sale()
    document = """mutation ($input: UpdateConcertInput!) {
      updateConcert(input: $input) { __typename ... on InvalidInputError { problems { path } } }
    }"""
    times = {"salesStartAt": "2031-02-01T00:00:00Z", "salesEndAt": "2031-01-01T00:00:00Z"}
    change = {"concertId": concert.id, "tiers": [{"tierId": "y"}], **times}
    answer = (await shop.fields(document, by="olivia", input=change))["updateConcert"]
    assert [problem["path"] for problem in answer["problems"]] == ["tiers.0.tierId", "salesEndAt"]


async def test_unknown_tier_id_does_not_hide_problems_with_the_concert(shop: Shop) -> None:
    concert, other = await shop.on_sale(), await shop.on_sale()
    document = """mutation ($input: UpdateConcertInput!) {
      updateConcert(input: $input) { __typename ... on InvalidInputError { problems { path } } }
    }"""
    change = {
        "concertId": concert.id,
        "name": "",
        "tiers": [{"tierId": other.tiers[0], "name": "A"}, {"tierId": other.tiers[0]}],
        "salesEndAt": "2000-01-02T00:00:00Z",
    }
    answer = (await shop.fields(document, by="olivia", input=change))["updateConcert"]
    paths = {problem["path"] for problem in answer["problems"]}
    assert paths == {"name", "tiers.0.tierId", "tiers.1.tierId", "salesEndAt"}


# Invalid literals


@pytest.mark.parametrize(
    ("document", "field", "column"),
    [
        ('{ concerts(filter: {onSaleAt: "2031-01-01T20:00:00"}) { nodes { id } } }', "`filter.onSaleAt`", 31),
        ("{ concerts(filter: {status: [DRAFT, NO]}) { nodes { id } } }", "`filter.status.1`", 37),
        ('{ concerts(first: "x") { nodes { id } } }', "`first`", 19),
        ('query ($at: DateTime = "bad") { concerts(filter: {onSaleAt: $at}) { nodes { id } } }', "`$at`", 24),
        ("query ($f: ConcertFilter = {status: [NO]}) { concerts(filter: $f) { nodes { id } } }", "`$f.status.0`", 38),
    ],
)
async def test_error_for_an_invalid_literal_names_its_location_and_field(
    shop: Shop, document: str, field: str, column: int
) -> None:
    (error,) = (await shop.ask(document))["errors"]
    assert error["locations"] == [{"line": 1, "column": column}]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert field in error["message"]


async def test_error_for_an_invalid_time_in_a_variable_names_its_field(shop: Shop) -> None:
    document = "query ($filter: ConcertFilter) { concerts(filter: $filter) { nodes { id } } }"
    (error,) = (await shop.ask(document, filter={"onSaleAt": "2031-01-01T20:00:00"}))["errors"]
    assert "onSaleAt" in error["message"]
    assert error["locations"] == [{"line": 1, "column": 8}]


@pytest.mark.parametrize("offset", ["+24:00", "-24:00", "+23:60", "+99:99"])
async def test_invalid_offset_is_refused_with_our_own_message(shop: Shop, offset: str) -> None:
    time = f"2026-12-31T20:00:00{offset}"
    document = "query ($at: DateTime) { concerts(filter: {onSaleAt: $at}) { nodes { id } } }"
    wanted = f"{time} is not a valid DateTime: its offset must be between -23:59 and +23:59."
    (error,) = (await shop.ask(document, at=time))["errors"]
    assert error["message"].endswith(wanted)
    (error,) = (await shop.ask(f'{{ concerts(filter: {{onSaleAt: "{time}"}}) {{ nodes {{ id }} }} }}'))["errors"]
    assert error["message"] == f"`filter.onSaleAt`: {wanted}"


@pytest.mark.parametrize(
    ("type_", "use", "value", "written"),
    [
        ("ID!", "concert(id: $x) { id }", None, "not to be null."),
        ("[ConcertStatus!]", "concerts(filter: {status: $x}) { nodes { id } }", [None], "not to be null."),
        (
            "ConcertFilter",
            "concerts(filter: $x) { nodes { id } }",
            {"None": None, "city": True},
            "{'None': null, 'city'",
        ),
    ],
)
async def test_error_for_a_variable_says_null_instead_of_none(
    shop: Shop, type_: str, use: str, value: object, written: str
) -> None:
    errors = (await shop.ask(f"query ($x: {type_}) {{ {use} }}", x=value))["errors"]
    assert any(written in error["message"] for error in errors)
    assert not any(" None" in error["message"] or "True" in error["message"] for error in errors)
