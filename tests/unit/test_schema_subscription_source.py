"""Starting a subscription: who may watch what, what is refused before anything is watched, and who shares bytes."""

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
from tests.support.snapshots import CONCERT, ORDER, FewStores

ALICE, BOB = viewer("alice"), viewer("bob")
OLIVIA = viewer("olivia", Role.ORGANIZER)

CONCERT_ID, ORDER_ID = ids.of_concert(CONCERT.id), ids.of_order(ORDER.id)
STOCK = "subscription ($id: ID!) { stockChanged(concertId: $id) { version } }"
POSITION = "subscription ($id: ID!) { queuePosition(concertId: $id) { position } }"
HOLDS = "subscription ($id: ID!) { holdChanged(concertId: $id) { id state } }"
ORDERS = "subscription ($id: ID!) { orderUpdated(orderId: $id) { status } }"
MAYBE = """subscription ($id: ID!, $tiers: Boolean = false) {
  stockChanged(concertId: $id) { version tiers @include(if: $tiers) { sold } }
}"""
TWO = """
subscription A($id: ID!) { stockChanged(concertId: $id) { version } }
subscription B($id: ID!) { stockChanged(concertId: $id) { soldOut } }
"""


@dataclass
class Face:
    """Starts operations on its stores."""

    stores: FewStores = field(default_factory=FewStores)

    async def begin(
        self, document: str, by: Viewer | None = None, *, name: str | None = None, **variables: object
    ) -> OperationResult | Source:
        used = variables or {"id": ORDER_ID if document is ORDERS else CONCERT_ID}
        return await start(Operation(document, used, name), self.stores.context(by))

    async def error(self, document: str, by: Viewer | None = None, **how: Any) -> dict[str, Any]:
        """The one error; nothing was executed, and there is nothing to watch."""
        begun = await self.begin(document, by, **how)
        assert isinstance(begun, OperationResult)
        assert not begun.was_executed
        assert list(begun.payload) == ["errors"]
        errors: Any = begun.payload["errors"]
        (error,) = errors
        assert error["extensions"]["requestId"] == "r1"
        return dict(error)

    async def refusal(self, document: str, by: Viewer | None = None, **how: Any) -> tuple[str, list[str]]:
        """Code and path."""
        error = await self.error(document, by, **how)
        return error["extensions"]["code"], error.get("path", [])


async def source(document: str, by: Viewer | None = None, **how: Any) -> Source:
    begun = await Face().begin(document, by, **how)
    assert not isinstance(begun, OperationResult), begun.payload
    return begun


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
async def test_a_subscription_watches_its_topic(document: str, by: Viewer | None, topic: Topic) -> None:
    assert (await source(document, by)).topic == topic


@pytest.mark.parametrize(
    ("document", "path"), [(POSITION, "queuePosition"), (HOLDS, "holdChanged"), (ORDERS, "orderUpdated")]
)
async def test_anonymous_people_watch_nothing_of_anybodys(document: str, path: str) -> None:
    service = Face()
    assert await service.refusal(document, None) == ("UNAUTHENTICATED", [path])
    assert service.stores.reads == []


async def test_an_order_of_somebody_else_does_not_exist() -> None:
    unknown = ids.of_order(OrderId("b" * 32))
    assert await Face().refusal(ORDERS, BOB) == ("NOT_FOUND", ["orderUpdated"])
    assert await Face().refusal(ORDERS, BOB, id=unknown) == ("NOT_FOUND", ["orderUpdated"])


@pytest.mark.parametrize("document", [STOCK, POSITION, HOLDS])
async def test_a_draft_is_watched_by_organizers_only(document: str) -> None:
    service = Face(FewStores(replace(CONCERT, status=ConcertStatus.DRAFT)))
    code, _ = await service.refusal(document, ALICE)
    assert code == "NOT_FOUND"
    assert not isinstance(await service.begin(document, OLIVIA), OperationResult)


async def test_a_concert_that_does_not_exist_is_not_watched() -> None:
    unknown = ids.of_concert(ConcertId("zzzzzzzzzzzz"))
    assert await Face().refusal(STOCK, id=unknown) == ("NOT_FOUND", ["stockChanged"])


@pytest.mark.parametrize("id_", ["", "1", 1, "!!!", ORDER_ID, "x" * 10_000])
async def test_a_bad_id_is_told_and_nothing_is_read(id_: object) -> None:
    service = Face()
    assert await service.refusal(STOCK, id=id_) == ("BAD_USER_INPUT", ["stockChanged"])
    assert service.stores.reads == []


@pytest.mark.parametrize("variables", [{"id": None}, {"id": [CONCERT_ID]}, {"other": 1}])
async def test_variables_that_do_not_fit_are_refused_before_anything(variables: dict[str, Any]) -> None:
    service = Face()
    assert await service.refusal(STOCK, **variables) == ("BAD_USER_INPUT", [])
    assert service.stores.reads == []


@pytest.mark.parametrize("tiers", [1, 0, "true", None])
async def test_a_condition_is_a_boolean_and_nothing_like_it(tiers: object) -> None:
    document = MAYBE.replace("Boolean = false", "Boolean!")
    assert await Face().refusal(document, id=CONCERT_ID, tiers=tiers) == ("BAD_USER_INPUT", [])


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
async def test_a_document_that_is_no_subscription_to_one_field_is_refused(document: str, code: str) -> None:
    assert await Face().refusal(document) == (code, [])


@pytest.mark.parametrize("name", [None, "C"])
async def test_an_operation_has_to_be_named_where_there_are_two(name: str | None) -> None:
    assert await Face().refusal(TWO, name=name) == ("BAD_USER_INPUT", [])


async def test_a_store_that_is_away_is_told() -> None:
    service = Face(FewStores(trouble=TemporarilyUnavailable("The catalogue is away")))
    extensions = {"code": "UNAVAILABLE", "retryable": True, "retryAfterSeconds": 1, "requestId": "r1"}
    assert (await service.error(STOCK))["extensions"] == extensions


async def test_a_query_is_answered_at_once() -> None:
    begun = await Face().begin("query ($id: ID!) { concert(id: $id) { name } }")
    assert begun == OperationResult({"data": {"concert": {"name": CONCERT.terms.name}}}, was_executed=True)


async def test_a_subscription_without_a_stream_says_what_to_do() -> None:
    stores = FewStores()
    answer = await schema.execute(Operation(STOCK, {"id": CONCERT_ID}, None), stores.context(None))
    assert not answer.was_executed
    assert "WebSocket" in str(answer.payload["errors"])
    assert stores.reads == []


async def test_everybody_shares_the_stock() -> None:
    shared = {(await source(STOCK, by)).group for by in (None, ALICE, BOB, OLIVIA)}
    assert len(shared) == 1


@pytest.mark.parametrize("document", [POSITION, HOLDS, ORDERS])
async def test_nobody_shares_what_is_personal(document: str) -> None:
    readers = [ALICE, OLIVIA, replace(ALICE, roles=frozenset({Role.CUSTOMER, Role.ORGANIZER}))]
    groups = [(await source(document, by)).group for by in readers]
    assert len(set(groups)) == 3


@pytest.mark.parametrize("document", [POSITION, HOLDS, ORDERS])
async def test_the_devices_of_a_person_share(document: str) -> None:
    other_token = replace(ALICE, name="Alice", email=None)
    assert (await source(document, ALICE)).group == (await source(document, other_token)).group


async def test_people_with_roles_of_each_others_names_do_not_share() -> None:
    """The parts of a reader are kept apart."""
    strange = replace(ALICE, person_id=PersonId("olivia organizer"), roles=frozenset[Role]())
    assert (await source(POSITION, strange)).group != (await source(POSITION, OLIVIA)).group


async def test_the_order_of_variables_does_not_matter() -> None:
    forth = await source(MAYBE, id=CONCERT_ID, tiers=True)
    back = await source(MAYBE, tiers=True, id=CONCERT_ID)
    assert forth.group == back.group


async def test_a_default_is_the_same_as_its_value() -> None:
    assert (await source(MAYBE, id=CONCERT_ID)).group == (await source(MAYBE, id=CONCERT_ID, tiers=False)).group


async def test_a_condition_splits_a_group() -> None:
    groups = {(await source(MAYBE, id=CONCERT_ID, tiers=tiers)).group for tiers in (True, False)}
    assert len(groups) == 2


async def test_variables_that_the_document_does_not_declare_change_nothing() -> None:
    assert (await source(STOCK, id=CONCERT_ID, more=1)).group == (await source(STOCK, id=CONCERT_ID)).group


async def test_operations_of_one_document_do_not_share() -> None:
    groups = {(await source(TWO, name=name)).group for name in ("A", "B")}
    assert len(groups) == 2


async def test_the_only_operation_is_the_same_with_and_without_its_name() -> None:
    named = STOCK.replace("subscription", "subscription Watch")
    assert (await source(named, name="Watch")).group == (await source(named)).group


async def test_other_documents_are_other_groups() -> None:
    assert (await source(STOCK)).group != (await source(STOCK + " ")).group


async def test_an_operation_is_kept_once_for_all_who_watch_with_it() -> None:
    watchers = [await source(POSITION, by) for by in (ALICE, BOB)]
    prepared = {id(watcher.prepared) for watcher in watchers if isinstance(watcher, SubscriptionSource)}
    assert len(prepared) == 1
    assert len({watcher.group for watcher in watchers}) == 2


def test_variables_of_a_subscription_are_plain() -> None:
    """What a group compares as JSON is plain: no field below a subscription takes an argument of another kind."""
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
    assert kinds == {"ID", "Int", "String"}
