"""Starting subscriptions: permissions, refusals, and which subscribers share a payload."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from graphql import GraphQLObjectType, build_schema, get_named_type

import schema
from auth.viewer import Role, Viewer
from domain.concerts import ConcertStatus
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId, OrderId, PersonId
from domain.topics import HoldsTopic, OrderTopic, QueueTopic, StockTopic, Topic
from schema import Operation, OperationResult, ids, start
from schema.execution.subscription_source import SubscriptionSource
from subscriptions.interfaces import Source
from tests.support.sale import viewer
from tests.support.snapshots import CONCERT, ORDER, FakeStores

ALICE, BOB = viewer("alice"), viewer("bob")
OLIVIA = viewer("olivia", Role.ORGANIZER)

CONCERT_ID, ORDER_ID = ids.of_concert(CONCERT.id), ids.of_order(ORDER.id)
STOCK = "subscription ($id: ID!) { stockChanged(concertId: $id) { version } }"
POSITION = "subscription ($id: ID!) { queuePosition(concertId: $id) { position } }"
HOLDS = "subscription ($id: ID!) { holdChanged(concertId: $id) { id state } }"
ORDERS = "subscription ($id: ID!) { orderUpdated(orderId: $id) { status } }"
OPTIONAL_TIERS = """subscription ($id: ID!, $tiers: Boolean = false) {
  stockChanged(concertId: $id) { version tiers @include(if: $tiers) { sold } }
}"""
TWO_OPERATIONS = """
subscription A($id: ID!) { stockChanged(concertId: $id) { version } }
subscription B($id: ID!) { stockChanged(concertId: $id) { soldOut } }
"""


@dataclass
class FakeService:
    """Starts operations on its stores."""

    stores: FakeStores = field(default_factory=FakeStores)

    async def start(
        self, document: str, by: Viewer | None = None, *, name: str | None = None, **variables: object
    ) -> OperationResult | Source:
        used = variables or {"id": ORDER_ID if document is ORDERS else CONCERT_ID}
        return await start(Operation(document, used, name), self.stores.context(by))

    async def error(self, document: str, by: Viewer | None = None, **how: Any) -> dict[str, Any]:
        """Return the only error after checking that nothing was executed."""
        started = await self.start(document, by, **how)
        assert isinstance(started, OperationResult)
        assert not started.was_executed
        assert list(started.payload) == ["errors"]
        errors: Any = started.payload["errors"]
        (error,) = errors
        assert error["extensions"]["requestId"] == "r1"
        return dict(error)

    async def refusal(self, document: str, by: Viewer | None = None, **how: Any) -> tuple[str, list[str]]:
        """Return the code and the path of the only error."""
        error = await self.error(document, by, **how)
        return error["extensions"]["code"], error.get("path", [])


async def source(document: str, by: Viewer | None = None, **how: Any) -> Source:
    started = await FakeService().start(document, by, **how)
    assert not isinstance(started, OperationResult), started.payload
    return started


@pytest.mark.parametrize(
    ("document", "by", "topic"),
    [
        (STOCK, None, StockTopic(CONCERT.id)),
        (STOCK, ALICE, StockTopic(CONCERT.id)),
        (POSITION, ALICE, QueueTopic(CONCERT.id, ALICE.person_id)),
        (HOLDS, ALICE, HoldsTopic(CONCERT.id, ALICE.person_id)),
        (ORDERS, ALICE, OrderTopic(ORDER.id)),
        (ORDERS, OLIVIA, OrderTopic(ORDER.id)),
    ],
)
async def test_each_subscription_has_the_right_topic(document: str, by: Viewer | None, topic: Topic) -> None:
    assert (await source(document, by)).topic == topic


@pytest.mark.parametrize(
    ("document", "path"), [(POSITION, "queuePosition"), (HOLDS, "holdChanged"), (ORDERS, "orderUpdated")]
)
async def test_anonymous_people_cannot_subscribe_to_personal_topics(document: str, path: str) -> None:
    service = FakeService()
    assert await service.refusal(document, None) == ("UNAUTHENTICATED", [path])
    assert service.stores.reads == []


async def test_order_of_another_person_is_not_found() -> None:
    unknown = ids.of_order(OrderId("b" * 32))
    assert await FakeService().refusal(ORDERS, BOB) == ("NOT_FOUND", ["orderUpdated"])
    assert await FakeService().refusal(ORDERS, BOB, id=unknown) == ("NOT_FOUND", ["orderUpdated"])


@pytest.mark.parametrize("document", [STOCK, POSITION, HOLDS])
async def test_only_organizers_can_subscribe_to_a_draft(document: str) -> None:
    service = FakeService(FakeStores(replace(CONCERT, status=ConcertStatus.DRAFT)))
    code, _ = await service.refusal(document, ALICE)
    assert code == "NOT_FOUND"
    assert not isinstance(await service.start(document, OLIVIA), OperationResult)


async def test_unknown_concert_is_not_found() -> None:
    unknown = ids.of_concert(ConcertId("zzzzzzzzzzzz"))
    assert await FakeService().refusal(STOCK, id=unknown) == ("NOT_FOUND", ["stockChanged"])


@pytest.mark.parametrize("id_", ["", "1", 1, "!!!", ORDER_ID, "x" * 10_000])
async def test_malformed_id_is_refused_before_anything_is_read(id_: object) -> None:
    service = FakeService()
    assert await service.refusal(STOCK, id=id_) == ("BAD_USER_INPUT", ["stockChanged"])
    assert service.stores.reads == []


@pytest.mark.parametrize("variables", [{"id": None}, {"id": [CONCERT_ID]}, {"other": 1}])
async def test_variables_of_the_wrong_type_are_refused_before_anything_is_read(variables: dict[str, Any]) -> None:
    service = FakeService()
    assert await service.refusal(STOCK, **variables) == ("BAD_USER_INPUT", [])
    assert service.stores.reads == []


@pytest.mark.parametrize("tiers", [1, 0, "true", None])
async def test_condition_must_be_a_boolean(tiers: object) -> None:
    document = OPTIONAL_TIERS.replace("Boolean = false", "Boolean!")
    assert await FakeService().refusal(document, id=CONCERT_ID, tiers=tiers) == ("BAD_USER_INPUT", [])


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("subscription {", "BAD_USER_INPUT"),
        ("subscription { nothing }", "BAD_USER_INPUT"),
        ("subscription { __typename }", "BAD_USER_INPUT"),
        (
            'subscription { a: stockChanged(concertId: "a") { version } b: stockChanged(concertId: "a") { version } }',
            "BAD_USER_INPUT",
        ),
        (
            'subscription { ...F } fragment F on Subscription { a: stockChanged(concertId: "a") { epoch } '
            'stockChanged(concertId: "a") { version } }',
            "BAD_USER_INPUT",
        ),
        ('subscription ($x: Boolean!) { stockChanged(concertId: "a") @skip(if: $x) { epoch } }', "BAD_USER_INPUT"),
        (f"subscription {{ {'a { ' * 20}b{' }' * 20} }}", "QUERY_TOO_COMPLEX"),
    ],
)
async def test_document_without_exactly_one_valid_root_field_is_refused(document: str, code: str) -> None:
    assert await FakeService().refusal(document) == (code, [])


@pytest.mark.parametrize("name", [None, "C"])
async def test_operation_name_is_required_if_there_are_two_operations(name: str | None) -> None:
    assert await FakeService().refusal(TWO_OPERATIONS, name=name) == ("BAD_USER_INPUT", [])


async def test_unavailable_store_causes_a_retryable_error() -> None:
    service = FakeService(FakeStores(trouble=TemporarilyUnavailable("The catalog is unavailable")))
    extensions = {"code": "UNAVAILABLE", "retryable": True, "retryAfterSeconds": 1, "requestId": "r1"}
    assert (await service.error(STOCK))["extensions"] == extensions


async def test_query_is_executed_immediately() -> None:
    started = await FakeService().start("query ($id: ID!) { concert(id: $id) { name } }")
    payload = {
        "data": {"concert": {"name": CONCERT.terms.name}},
        "extensions": {"cost": {"requested": 11, "limit": 30_000}},
    }
    assert started == OperationResult(payload, was_executed=True, is_public=True)


async def test_subscription_sent_as_a_query_gets_an_error_naming_the_transport() -> None:
    stores = FakeStores()
    answer = await schema.execute(Operation(STOCK, {"id": CONCERT_ID}, None), stores.context(None))
    assert not answer.was_executed
    assert "WebSocket" in str(answer.payload["errors"])
    assert stores.reads == []


@pytest.mark.parametrize("document", [POSITION, HOLDS, ORDERS])
async def test_personal_payloads_are_not_shared(document: str) -> None:
    viewers = [ALICE, OLIVIA, replace(ALICE, roles=frozenset({Role.CUSTOMER, Role.ORGANIZER}))]
    groups = [(await source(document, by)).group for by in viewers]
    assert len(set(groups)) == 3


@pytest.mark.parametrize("document", [POSITION, HOLDS, ORDERS])
async def test_devices_of_a_person_share_a_group(document: str) -> None:
    other_token = replace(ALICE, name="Alice", email=None)
    assert (await source(document, ALICE)).group == (await source(document, other_token)).group


async def test_person_id_that_contains_a_role_does_not_share_a_group() -> None:
    """The person and the roles are separate parts of a group key."""
    strange = replace(ALICE, person_id=PersonId("olivia organizer"), roles=frozenset[Role]())
    assert (await source(POSITION, strange)).group != (await source(POSITION, OLIVIA)).group


async def test_order_of_variables_does_not_split_a_group() -> None:
    one = await source(OPTIONAL_TIERS, id=CONCERT_ID, tiers=True)
    other = await source(OPTIONAL_TIERS, tiers=True, id=CONCERT_ID)
    assert one.group == other.group


async def test_default_value_does_not_split_a_group() -> None:
    assert (await source(OPTIONAL_TIERS, id=CONCERT_ID)).group == (
        await source(OPTIONAL_TIERS, id=CONCERT_ID, tiers=False)
    ).group


async def test_different_values_of_a_condition_split_a_group() -> None:
    groups = {(await source(OPTIONAL_TIERS, id=CONCERT_ID, tiers=tiers)).group for tiers in (True, False)}
    assert len(groups) == 2


async def test_undeclared_variables_do_not_split_a_group() -> None:
    assert (await source(STOCK, id=CONCERT_ID, more=1)).group == (await source(STOCK, id=CONCERT_ID)).group


async def test_operations_in_one_document_do_not_share_a_group() -> None:
    groups = {(await source(TWO_OPERATIONS, name=name)).group for name in ("A", "B")}
    assert len(groups) == 2


async def test_name_of_the_only_operation_does_not_split_a_group() -> None:
    named = STOCK.replace("subscription", "subscription Watch")
    assert (await source(named, name="Watch")).group == (await source(named)).group


async def test_different_documents_have_different_groups() -> None:
    assert (await source(STOCK)).group != (await source(STOCK + " ")).group


async def test_subscribers_with_the_same_operation_share_its_preparation() -> None:
    service = FakeService()
    subscribers = [await service.start(POSITION, by) for by in (ALICE, BOB)]
    prepared = {id(subscriber.prepared) for subscriber in subscribers if isinstance(subscriber, SubscriptionSource)}
    assert len(prepared) == 1
    assert len({subscriber.group for subscriber in subscribers if isinstance(subscriber, SubscriptionSource)}) == 2


def test_subscription_arguments_are_scalars_and_enums() -> None:
    """Groups compare variables as JSON, so no argument below a subscription may be an object."""
    built = build_schema(schema.sdl())
    assert built.subscription_type is not None
    kinds: set[str] = set()
    reached: set[str] = set()
    waiting = [built.subscription_type]
    while waiting:
        type_ = waiting.pop()
        for one in type_.fields.values():
            kinds |= {str(get_named_type(argument.type)) for argument in one.args.values()}
            inner = get_named_type(one.type)
            if isinstance(inner, GraphQLObjectType) and inner.name not in reached:
                reached.add(inner.name)
                waiting.append(inner)
    assert kinds == {"DateTime", "ID", "Int", "String", "TimeInterval"}
