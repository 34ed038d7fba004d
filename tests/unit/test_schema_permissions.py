"""The table of permissions covers the whole SDL and guards every field it names."""

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
from graphql import (
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
)

import schema
from auth.viewer import Role, Viewer
from domain.errors import Forbidden, Unauthenticated
from domain.ids import PersonId
from schema.ids import Kind
from schema.mutations.result_errors import ERROR_TYPES
from schema.permissions import NODE_PERMISSIONS, PERMISSIONS, Permission
from schema.plans.plain_fields import get_plain_field


def person(name: str, *roles: Role) -> Viewer:
    return Viewer(PersonId(name), name, None, frozenset(roles))


ALICE = person("alice", Role.CUSTOMER)
BOB = person("bob", Role.CUSTOMER)
GUS = person("gus", Role.GATE)
OTHER_GATE = person("gita", Role.GATE)
OLIVIA = person("olivia", Role.ORGANIZER)
OTHER_ORGANIZER = person("otto", Role.ORGANIZER)
ADMIN = person("ada", Role.ADMIN)
SERVICE = person("robot")
FORMER_ORGANIZER = person("olivia")
"""Olivia, who still owns her concert but has lost her role."""
EVERYONE = (None, ALICE, BOB, GUS, OTHER_GATE, OLIVIA, OTHER_ORGANIZER, ADMIN, SERVICE, FORMER_ORGANIZER)

OPEN = {
    *("Query.concerts", "Query.concert", "Query.waitingRoom", "Query.node", "Query.serverTime"),
    *("Query.ticketOffer", "Subscription.stockChanged"),
}
"""Root fields that are open to anonymous viewers; add new open fields here."""

OPEN_PERMISSIONS = (Permission.ANYONE, Permission.SIGNED_IN_OR_NULL)

GUARDED_BY_THEIR_PARENT = {
    *(
        "Concert",
        "Tier",
        "Venue",
        "ConcertProblem",
        "Stock",
        "TierStock",
        "Money",
        "TicketLine",
        "Viewer",
        "PageInfo",
        "InputProblem",
    ),
    *("WaitingRoom", "RoomFlow", "RoomAudit", "HandCall", "SettingChange", "RoomAuditConnection", "RoomAuditEdge"),
    *("ConcertConnection", "ConcertEdge", "OrderConnection", "OrderEdge", "WaitEstimate"),
    *("TierSales", "SalesBucket", "QueueConversion", "QueueBucket"),
    *("TicketConnection", "TicketEdge", "CheckIn", "DeadCodeScan", "TicketTransfer", "ScanResult", "TicketDocument"),
    *("Image", "ImageSize", "OrderExport", "OrderExportConnection", "OrderExportEdge"),
    *("RoomLottery", "LotteryProof", "ConcertCancellation", "PaymentDecline", "Refund", "PriceRange"),
    *("ConcertLink", "Coordinates", "TicketOffer"),
    *(error.__name__ for error in ERROR_TYPES.values()),
}
"""Types without their own permission; add each new type either here or to the table."""


def test_every_root_field_and_every_type_is_covered() -> None:
    built = build_schema(schema.sdl())
    roots = {f"{root}.{name}" for root in _roots(built) for name in root.fields}
    names = {str(root) for root in _roots(built)}
    assert {row for row in PERMISSIONS if row.partition(".")[0] in names} == roots
    for name, type_ in built.type_map.items():
        is_output = isinstance(type_, GraphQLObjectType) and not name.startswith("__")
        if is_output and name not in map(str, _roots(built)) and not name.endswith("Success"):
            assert (f"{name}.*" in PERMISSIONS) ^ (name in GUARDED_BY_THEIR_PARENT), name


def test_anonymous_viewers_cannot_reach_personal_types() -> None:
    """Walk the SDL from the open root fields. `node` is open, but checks each kind itself."""
    built = build_schema(schema.sdl())
    assert {row for row, permission in PERMISSIONS.items() if permission is Permission.ANYONE} == OPEN
    reached: set[str] = set()
    root_fields = {f"{root}.{name}": field for root in _roots(built) for name, field in root.fields.items()}
    waiting = [root_fields[row].type for row in OPEN - {"Query.node"}]
    while waiting:
        type_ = waiting.pop()
        while hasattr(type_, "of_type"):
            type_ = type_.of_type
        assert not isinstance(type_, GraphQLUnionType | GraphQLInterfaceType)
        if isinstance(type_, GraphQLObjectType) and type_.name not in reached:
            reached.add(type_.name)
            waiting += [field.type for name, field in type_.fields.items() if f"{type_.name}.{name}" not in PERMISSIONS]
    assert {f"{name}.*" for name in reached} & set(PERMISSIONS) == set()
    assert reached & {"RoomFlow", "RoomAudit", "RoomAuditConnection"} == set()
    assert {kind for kind, permission in NODE_PERMISSIONS.items() if permission is Permission.ANYONE} == {
        Kind.CONCERT,
        Kind.TIER,
    }


def test_every_kind_of_node_has_a_row() -> None:
    assert set(NODE_PERMISSIONS) == set(Kind)


@pytest.mark.parametrize(
    ("permission", "allowed"),
    [
        (Permission.ANYONE, EVERYONE),
        (Permission.SIGNED_IN_OR_NULL, EVERYONE),
        (Permission.SIGNED_IN, EVERYONE[1:]),
        (Permission.CUSTOMER, (ALICE, BOB)),
        (Permission.ORGANIZER, (OLIVIA, OTHER_ORGANIZER, ADMIN)),
        (Permission.ADMIN, (ADMIN,)),
        (Permission.CONCERT_ORGANIZER, (OLIVIA, ADMIN)),
        (Permission.CONCERT_GATE, (GUS, OLIVIA, ADMIN)),
        (Permission.OWNER, (ALICE, OLIVIA, ADMIN)),
        (Permission.OWNER_ALONE, (ALICE,)),
        (Permission.TICKET, (ALICE, GUS, OLIVIA, ADMIN)),
    ],
)
def test_permission_allows_only_the_right_viewers(permission: Permission, allowed: tuple[Viewer | None, ...]) -> None:
    """The object belongs to alice; olivia's concert names gus and alice as gate staff."""
    gate_people = [GUS.person_id, ALICE.person_id]
    for viewer in EVERYONE:
        refusal = Unauthenticated if viewer is None else Forbidden
        with contextlib.nullcontext() if viewer in allowed else pytest.raises(refusal):
            permission.check(viewer, owner=ALICE.person_id, organizer=OLIVIA.person_id, gate_people=gate_people)


def test_every_permission_is_in_the_test_above() -> None:
    (mark,) = test_permission_allows_only_the_right_viewers.pytestmark  # type: ignore[attr-defined]
    assert {permission for permission, _ in mark.args[1]} == set(Permission)


def test_signed_in_viewers_may_buy_if_the_setting_says_so() -> None:
    for viewer in EVERYONE[1:]:
        Permission.CUSTOMER.check_roles(viewer, signed_in_may_buy=True)
    with pytest.raises(Unauthenticated):
        Permission.CUSTOMER.check_roles(None, signed_in_may_buy=True)
    for permission in set(Permission) - {Permission.CUSTOMER, *OPEN_PERMISSIONS, Permission.SIGNED_IN}:
        if permission not in (Permission.OWNER, Permission.OWNER_ALONE, Permission.TICKET):
            with pytest.raises(Forbidden):
                permission.check_roles(SERVICE, signed_in_may_buy=True)


@pytest.mark.parametrize("row", [row for row, one in PERMISSIONS.items() if one not in OPEN_PERMISSIONS])
def test_every_field_in_the_table_is_guarded(row: str) -> None:
    """There are no stores, so an unguarded resolver would fail with a different error."""
    type_name, _, field_name = row.partition(".")
    type_ = schema.CORE_SCHEMA.type_map[type_name]
    assert isinstance(type_, GraphQLObjectType)
    fields = type_.fields.values() if field_name == "*" else [type_.fields[field_name]]
    for field in fields:
        guarded = field.subscribe if type_name == "Subscription" else field.resolve
        assert guarded is not None
        source = SimpleNamespace(person_id=ALICE.person_id)
        with pytest.raises(Unauthenticated):
            guarded(source, _info_of(None))
        if type_name != "Subscription":
            # Plans call another resolver, after this check.
            plain = get_plain_field(field)
            assert plain is not None
            assert plain.check is not None
            with pytest.raises(Unauthenticated):
                plain.check(source, _info_of(None).context)


def test_field_with_a_separate_permission_is_nullable_and_can_be_refused() -> None:
    built = build_schema(schema.sdl())
    names = {str(root) for root in _roots(built)}
    separate = [row for row in PERMISSIONS if row.partition(".")[0] not in names and not row.endswith(".*")]
    single = [row for row in separate if PERMISSIONS[row] is not Permission.SIGNED_IN_OR_NULL]
    assert single == [
        *("Concert.organizerId", "Concert.gatePeople", "Concert.cancellation", "Concert.problems"),
        *("Concert.sales", "Concert.orderExports"),
        *("WaitingRoom.flow", "WaitingRoom.audit", "Order.payment"),
    ]
    for row in single:
        type_name, _, field_name = row.partition(".")
        type_ = built.type_map[type_name]
        assert isinstance(type_, GraphQLObjectType)
        assert not isinstance(type_.fields[field_name].type, GraphQLNonNull)
        resolve = schema.CORE_SCHEMA.type_map[type_name].fields[field_name].resolve  # type: ignore[attr-defined]
        for viewer in (ALICE, GUS, OTHER_ORGANIZER, SERVICE):
            with pytest.raises(Forbidden):
                resolve(SimpleNamespace(organizer_id=OLIVIA.person_id), _info_of(viewer))


@pytest.mark.parametrize("name", ["myHold", "myQueueEntry"])
def test_own_object_of_a_concert_is_null_for_a_signed_out_viewer(name: str) -> None:
    type_ = schema.CORE_SCHEMA.type_map["Concert"]
    assert isinstance(type_, GraphQLObjectType)
    resolve = type_.fields[name].resolve
    assert resolve is not None
    assert resolve(SimpleNamespace(), _info_of(None)) is None


def test_people_unrelated_to_an_order_cannot_read_its_fields() -> None:
    type_ = schema.CORE_SCHEMA.type_map["Order"]
    assert isinstance(type_, GraphQLObjectType)
    order = SimpleNamespace(
        person_id=ALICE.person_id, organizer_id=OLIVIA.person_id, customer_email="alice@onsale.example"
    )
    resolve = type_.fields["customerEmail"].resolve
    assert resolve is not None
    for viewer in (BOB, GUS, OTHER_ORGANIZER, FORMER_ORGANIZER):
        with pytest.raises(Forbidden):
            resolve(order, _info_of(viewer))
    assert (
        resolve(order, _info_of(ALICE))
        == resolve(order, _info_of(ADMIN))
        == resolve(order, _info_of(OLIVIA))
        == "alice@onsale.example"
    )


def test_buyer_sees_a_ticket_that_was_passed_on() -> None:
    Permission.TICKET.check(BOB, owner=ALICE.person_id, buyer=BOB.person_id)
    with pytest.raises(Forbidden, match="sign in as its holder or its buyer"):
        Permission.TICKET.check(GUS, owner=ALICE.person_id, buyer=BOB.person_id)


def test_only_the_owner_may_read_a_pass_token() -> None:
    type_ = schema.CORE_SCHEMA.type_map["QueuePass"]
    assert isinstance(type_, GraphQLObjectType)
    resolve = type_.fields["token"].resolve
    assert resolve is not None
    pass_ = SimpleNamespace(person_id=ALICE.person_id, token="secret")
    for viewer in (GUS, OLIVIA):
        with pytest.raises(Forbidden):
            resolve(pass_, _info_of(viewer))
    assert resolve(pass_, _info_of(ALICE)) == "secret"


@pytest.mark.parametrize(("type_name", "field"), [("Order", "payment"), ("PaymentAttempt", "clientSecret")])
def test_payment_is_hidden_even_from_organizer_and_admin(type_name: str, field: str) -> None:
    type_ = schema.CORE_SCHEMA.type_map[type_name]
    assert isinstance(type_, GraphQLObjectType)
    resolve = type_.fields[field].resolve
    assert resolve is not None
    source = SimpleNamespace(person_id=ALICE.person_id, organizer_id=OLIVIA.person_id, client_secret="secret")
    for viewer in (BOB, GUS, OLIVIA, ADMIN, SERVICE):
        with pytest.raises(Forbidden):
            resolve(source, _info_of(viewer))


def _roots(built: GraphQLSchema) -> list[GraphQLObjectType]:
    return [root for root in (built.query_type, built.mutation_type, built.subscription_type) if root]


def _info_of(viewer: Viewer | None) -> Any:
    def organizes(organizer_id: PersonId | None) -> bool:
        return viewer is not None and viewer.organizes(organizer_id)

    context = SimpleNamespace(viewer=viewer, organizes=organizes, signed_in_may_buy=False, clear=lambda: None)
    return SimpleNamespace(context=context)
