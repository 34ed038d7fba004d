"""Subscribers share a payload only if it depends on nothing but their rights."""

import asyncio
import gc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from graphql import GraphQLObjectType, GraphQLResolveInfo
from graphql.execution.collect_fields import FieldDetails

import schema
from auth.viewer import Role, Viewer
from domain.concerts import Tier
from domain.ids import tier_id
from domain.stock import TierStock
from domain.tiers.rules import TierRules
from domain.topics import Snapshot, StockSnapshot
from resolvers.context import Context
from schema import DocumentRules, Operation, OperationResult, build_engine, ids
from schema.plans.plain_fields import PlainField, set_plain_field
from subscriptions.interfaces import Rendered, Source
from subscriptions.publishing.subscriber_groups import Subscriber, SubscriberGroups
from tests.support.plans import compile_always, compile_never
from tests.support.pushed_executions import record_executions
from tests.support.sale import viewer
from tests.support.snapshots import CONCERT, ROOM, STOCK, FakeStores

ALICE, BOB, GUS = viewer("alice"), viewer("bob"), viewer("gus", Role.GATE)
OLIVIA, OTTO, ADA = viewer("olivia", Role.ORGANIZER), viewer("otto", Role.ORGANIZER), viewer("ada", Role.ADMIN)
PUBLIC: tuple[Viewer | None, ...] = (None, ALICE, BOB, GUS)

HIDDEN = Tier(tier_id(CONCERT.id, 2), "Guests", 0, capacity=5, top=5, rules=TierRules(is_hidden=True))
HIDDEN_STOCK = TierStock(HIDDEN.id, capacity=5, held=0, sold=0, price_minor=1_000, is_hidden=True)
WHOLE = StockSnapshot(replace(STOCK, tiers=(*STOCK.tiers, HIDDEN_STOCK), organizer_id=OLIVIA.person_id), ROOM)
OPEN_TIERS, ALL_TIERS = [ids.of_tier(STOCK.tiers[0].tier_id)], [ids.of_tier(tier.tier_id) for tier in WHOLE.stock.tiers]

TIERS = "subscription ($id: ID!) { stockChanged(concertId: $id) { version tiers { tierId } } }"
ORGANIZER = "subscription ($id: ID!) { stockChanged(concertId: $id) { version concert { organizerId } } }"
CONDITIONS = """subscription ($id: ID!, $tiers: Boolean = true, $sold: Boolean = false) {
  stockChanged(concertId: $id) { tiers @include(if: $tiers) { capacity sold @include(if: $sold) } }
}"""
FLOW = "subscription ($id: ID!) { waitingRoomChanged(concertId: $id) { version flow { joined } } }"


class Audience:
    """The subscribers of one concert, and the payloads that each of them received."""

    def __init__(self, stores: FakeStores | None = None) -> None:
        self.stores = stores or FakeStores(replace(CONCERT, tiers=(*CONCERT.tiers, HIDDEN)))
        # An engine of its own, because an operation stays personal as long as it is used.
        self.starter = build_engine(DocumentRules()).starter
        self.groups = SubscriberGroups()
        self.subscribers: list[Subscriber] = []
        self.received: list[list[dict[str, Any]]] = []

    async def source(self, document: str, by: Viewer | None, **variables: object) -> Source:
        used = {"id": ids.of_concert(CONCERT.id), **variables}
        started = await self.starter.start(Operation(document, used, None), self.stores.context(by))
        assert not isinstance(started, OperationResult), started.payload
        return started

    async def add(self, document: str, *people: Viewer | None, **variables: object) -> None:
        for by in people:
            received: list[dict[str, Any]] = []

            def deliver(rendered: Rendered, received: list[dict[str, Any]] = received) -> None:
                received.append(orjson.loads(rendered.payload))

            subscriber = Subscriber(await self.source(document, by, **variables), deliver)
            self.received.append(received)
            self.subscribers.append(subscriber)
            self.groups.add(subscriber)

    async def publish(self, snapshot: Snapshot) -> list[dict[str, Any]]:
        """Publish a snapshot, and return the one payload that each subscriber received."""
        for received in self.received:
            received.clear()
        self.groups.begin_refresh()
        (topic,) = self.groups.topics()
        assert await self.groups.publish(topic, snapshot)
        assert [len(received) for received in self.received] == [1] * len(self.received)
        return [received[0] for received in self.received]


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[Context]:
    """The context of each execution for a push."""
    contexts: list[Context] = []
    record_executions(monkeypatch, lambda _, context: contexts.append(context))
    return contexts


@pytest.fixture(autouse=True, params=[compile_always, compile_never])
def executor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test by plans and by graphql-core."""
    request.param(monkeypatch)


def tiers_of(payloads: list[dict[str, Any]]) -> list[list[str]]:
    return [[tier["tierId"] for tier in payload["data"]["stockChanged"]["tiers"]] for payload in payloads]


def errors_of(payloads: list[dict[str, Any]]) -> list[str]:
    return [payload["errors"][0]["message"] for payload in payloads]


def replace_version_field(monkeypatch: pytest.MonkeyPatch, resolve: Callable[[Context], Any]) -> None:
    """Let `Stock.version` be what `resolve` returns for the context."""
    stock = schema.CORE_SCHEMA.type_map["Stock"]
    assert isinstance(stock, GraphQLObjectType)

    def resolver(_source: object, info: GraphQLResolveInfo[Context]) -> Any:
        return resolve(info.context)

    monkeypatch.setattr(stock.fields["version"], "resolve", resolver)
    extensions = {**stock.fields["version"].extensions}
    monkeypatch.setattr(stock.fields["version"], "extensions", extensions)
    set_plain_field(stock.fields["version"], PlainField(resolve=resolver))


async def test_public_shares_one_execution_without_a_viewer(executed: list[Context]) -> None:
    audience = Audience()
    await audience.add(TIERS, *PUBLIC)

    assert tiers_of(await audience.publish(WHOLE)) == [OPEN_TIERS] * 4

    (context,) = executed
    assert (context.given_viewer, context.address, context.request_id) == (None, None, "")


async def test_organizer_and_admin_share_an_execution_with_hidden_tiers(executed: list[Context]) -> None:
    audience = Audience()
    await audience.add(TIERS, ALICE, OLIVIA, ADA, OTTO)

    assert tiers_of(await audience.publish(WHOLE)) == [OPEN_TIERS, ALL_TIERS, ALL_TIERS, OPEN_TIERS]

    assert len(executed) == 2
    assert {context.given_viewer for context in executed} == {None}


async def test_new_organizer_gets_hidden_tiers_and_the_old_one_does_not() -> None:
    audience = Audience()
    await audience.add(TIERS, ALICE, OLIVIA, OTTO, ADA)
    await audience.publish(WHOLE)

    given = replace(WHOLE, stock=replace(WHOLE.stock, organizer_id=OTTO.person_id))
    assert tiers_of(await audience.publish(given)) == [OPEN_TIERS, OPEN_TIERS, ALL_TIERS, ALL_TIERS]

    assert tiers_of(await audience.publish(WHOLE)) == [OPEN_TIERS, ALL_TIERS, OPEN_TIERS, ALL_TIERS]


async def test_organizer_without_the_role_is_part_of_the_public(executed: list[Context]) -> None:
    audience = Audience()
    await audience.add(TIERS, replace(OLIVIA, roles=frozenset({Role.CUSTOMER})), ALICE)
    assert tiers_of(await audience.publish(WHOLE)) == [OPEN_TIERS] * 2
    assert len(executed) == 1


async def test_organizer_and_admin_share_a_room_with_its_flow(executed: list[Context]) -> None:
    audience = Audience()
    await audience.add(FLOW, OLIVIA, ADA)
    payloads = await audience.publish(ROOM)
    assert [payload["data"]["waitingRoomChanged"]["flow"] for payload in payloads] == [{"joined": 0}] * 2
    assert len(executed) == 1


async def test_former_organizer_gets_the_room_without_its_flow() -> None:
    audience = Audience()
    await audience.add(FLOW, OLIVIA, ADA)
    await audience.publish(ROOM)
    of_olivia, of_ada = await audience.publish(replace(ROOM, organizer_id=OTTO.person_id))
    assert of_olivia["data"]["waitingRoomChanged"]["flow"] is None
    assert "signed in as olivia" in errors_of([of_olivia])[0]
    assert of_ada == {"data": {"waitingRoomChanged": {"version": 9, "flow": {"joined": 0}}}}


async def test_payload_that_depends_on_the_viewer_is_not_shared(executed: list[Context]) -> None:
    audience = Audience()
    await audience.add(ORGANIZER, None, ALICE, BOB, None, OLIVIA)

    anonymous, of_alice, of_bob, other_anonymous, of_olivia = await audience.publish(WHOLE)

    assert anonymous["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert other_anonymous == anonymous
    assert "signed in as alice" in errors_of([of_alice])[0]
    assert "signed in as bob" in errors_of([of_bob])[0]
    assert of_olivia["data"]["stockChanged"]["concert"] == {"organizerId": "olivia"}
    # The public execution was discarded, and only the organizer's was delivered.
    assert sorted(context.shared is not None for context in executed) == [False] * 3 + [True] * 2


async def test_flagged_operation_stays_personal(executed: list[Context]) -> None:
    audience = Audience()
    await audience.add(ORGANIZER, ALICE, BOB)
    await audience.publish(WHOLE)
    executed.clear()
    await audience.add(ORGANIZER, viewer("carol"))

    payloads = await audience.publish(WHOLE)

    errors = errors_of(payloads)
    assert all(f"signed in as {name}" in error for name, error in zip(("alice", "bob", "carol"), errors, strict=True))
    assert {context.given_viewer.name for context in executed if context.given_viewer} == {"alice", "bob", "carol"}
    assert [context.shared for context in executed] == [None] * 3


async def test_other_operations_are_shared_after_one_was_flagged(executed: list[Context]) -> None:
    audience = Audience()
    await audience.add(ORGANIZER, ALICE, BOB)
    await audience.add(TIERS, ALICE, BOB)
    await audience.publish(WHOLE)
    executed.clear()
    await audience.publish(WHOLE)
    assert sorted(context.shared is not None for context in executed) == [False, False, True]


async def test_every_execution_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The field reads the viewer only from the third version on."""
    audience, reads = Audience(), []

    def version(context: Context) -> int:
        reads.append(context)
        return len(context.viewer.name) if len(reads) > 2 and context.viewer else 7

    replace_version_field(monkeypatch, version)
    await audience.add(TIERS, ALICE, viewer("bo"), None)
    for _ in range(2):
        shown = [payload["data"]["stockChanged"]["version"] for payload in await audience.publish(WHOLE)]
        assert shown == [7, 7, 7]
    shown = [payload["data"]["stockChanged"]["version"] for payload in await audience.publish(WHOLE)]
    assert shown == [5, 2, 7]


async def test_viewer_read_after_a_wait_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def version(context: Context) -> int:
        await asyncio.sleep(0)
        return len(context.viewer.name) if context.viewer else 0

    audience = Audience()
    replace_version_field(monkeypatch, version)
    await audience.add(TIERS, ALICE, viewer("bo"), None)
    shown = [payload["data"]["stockChanged"]["version"] for payload in await audience.publish(WHOLE)]
    assert shown == [5, 2, 0]


async def test_flagged_result_of_one_group_ends_the_sharing_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two groups of one operation execute concurrently, and only one of them reads the viewer."""

    async def version(context: Context) -> int:
        if context.organizes(OLIVIA.person_id) and context.shared is not None:
            await asyncio.sleep(0)
            return 7
        return len(context.viewer.name) if context.viewer else 0

    audience = Audience()
    replace_version_field(monkeypatch, version)
    await audience.add(TIERS, ALICE, viewer("bo"), OLIVIA, ADA)
    shown = [payload["data"]["stockChanged"]["version"] for payload in await audience.publish(WHOLE)]
    assert shown == [5, 2, 7, 7]
    shown = [payload["data"]["stockChanged"]["version"] for payload in await audience.publish(WHOLE)]
    assert shown == [5, 2, 6, 3]


async def test_failed_field_has_the_same_error_for_all_who_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(context: Context) -> int:
        raise RuntimeError(f"broken for {context.request_id!r}")

    audience = Audience()
    replace_version_field(monkeypatch, fail)
    await audience.add(TIERS, ALICE, BOB)
    first, second = await audience.publish(WHOLE)
    assert first == second
    assert first["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert "broken" not in str(first)


@pytest.mark.parametrize(
    "others",
    [{"sold": False, "tiers": True}, {"tiers": True}, {}, {"sold": False, "unknown": {"tiers": False}}],
    ids=["order", "one default", "defaults", "undeclared"],
)
async def test_equal_variables_share_an_execution(others: dict[str, object], executed: list[Context]) -> None:
    audience = Audience()
    await audience.add(CONDITIONS, ALICE, tiers=True, sold=False)
    await audience.add(CONDITIONS, ALICE, **others)
    first, second = await audience.publish(WHOLE)
    assert first == second == {"data": {"stockChanged": {"tiers": [{"capacity": 10}]}}}
    assert len(executed) == 1


async def test_each_value_of_a_condition_has_its_own_payload() -> None:
    audience = Audience()
    conditions = [(True, False), (True, True), (False, False), (False, True)]
    for tiers, sold in conditions:
        await audience.add(CONDITIONS, ALICE, tiers=tiers, sold=sold)
    payloads = await audience.publish(WHOLE)
    shown = [payload["data"]["stockChanged"].get("tiers") for payload in payloads]
    assert shown == [[{"capacity": 10}], [{"capacity": 10, "sold": 3}], None, None]


async def test_pushes_of_an_operation_leave_nothing_in_memory() -> None:
    """graphql-core keeps the collected fields of each event, unless the events are separated."""
    audience = Audience()
    await audience.add(TIERS, ALICE)
    counts = []
    for _ in range(3):
        for _ in range(20):
            await audience.publish(WHOLE)
        gc.collect()
        counts.append(sum(type(found) is FieldDetails for found in gc.get_objects()))
    assert counts[0] == counts[1] == counts[2]


async def test_anonymous_subscribers_share_one_source_in_memory() -> None:
    audience = Audience()
    first, second = await audience.source(TIERS, None), await audience.source(TIERS, None)
    of_alice = await audience.source(TIERS, ALICE)
    assert first is second
    assert of_alice is not first
    assert of_alice.topic is first.topic


async def test_removed_subscriber_gets_nothing_from_a_delivery_in_progress() -> None:
    audience = Audience()
    await audience.add(TIERS, None, None, None)
    first, second, third = audience.subscribers
    deliver = first.deliver

    def deliver_and_remove(rendered: Rendered) -> None:
        deliver(rendered)
        audience.groups.remove(second)

    first.deliver = deliver_and_remove
    audience.groups.begin_refresh()
    assert await audience.groups.publish(first.source.topic, WHOLE)
    assert [len(received) for received in audience.received] == [1, 0, 1]
    assert await audience.groups.publish(third.source.topic, WHOLE)
    assert [len(received) for received in audience.received] == [2, 0, 2]


async def test_subscriber_added_during_a_delivery_waits_for_the_next_refresh() -> None:
    audience = Audience()
    await audience.add(TIERS, None)
    (first,) = audience.subscribers
    await audience.publish(WHOLE)
    deliver = first.deliver
    late: list[Rendered] = []
    added = Subscriber(first.source, late.append)

    def deliver_and_add(rendered: Rendered) -> None:
        deliver(rendered)
        audience.groups.add(added)

    first.deliver = deliver_and_add
    assert await audience.groups.publish(first.source.topic, WHOLE)
    first.deliver = deliver
    assert await audience.groups.publish(first.source.topic, WHOLE)
    assert late == []
    audience.groups.begin_refresh()
    assert await audience.groups.publish(first.source.topic, WHOLE, only_pending=True)
    assert len(late) == 1
    assert len(audience.received[0]) == 3


async def test_snapshot_without_changes_reaches_only_new_subscribers(executed: list[Context]) -> None:
    audience = Audience()
    await audience.add(TIERS, ALICE)
    topic = audience.subscribers[0].source.topic
    await audience.publish(WHOLE)
    executed.clear()
    assert await audience.groups.publish(topic, WHOLE, only_pending=True)
    assert executed == []
    await audience.add(TIERS, BOB)
    audience.groups.begin_refresh()
    assert await audience.groups.publish(topic, WHOLE, only_pending=True)
    assert [len(received) for received in audience.received] == [1, 1]
    assert len(executed) == 1
