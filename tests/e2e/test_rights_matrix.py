"""docs/rights.md is accurate for every field and every kind of viewer, over HTTP and WebSocket."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import orjson
import pytest
import pytest_asyncio

import schema
from domain.limits.operations import OperationLimits
from storage.embedded.process import ServerProcess
from tests.support.databases import DatabasePool
from tests.support.full_selections import document_of, shown_fields
from tests.support.rights_page import VIEWERS, RootRow, read_root_rows, read_type_rows
from tests.support.rights_world import World, new_input, open_world, token_of
from tests.support.shop import Answer, Shop, new_key
from tests.support.shop_socket import open_client
from tests.support.sockets import Client
from tests.support.store_servers import open_shop
from tests.support.whole_stores import read_whole_stores

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT_ROWS = read_root_rows()
TYPE_ROWS = read_type_rows()
NEVER_REACHED = {"WaitEstimate", "LotteryProof", "ScanResult"}
"""Types in a queue entry that exist only once a queue has moved or a lottery has been drawn, and a
type that only a mutation returns.
"""


@dataclass(frozen=True, slots=True)
class Door:
    """One viewer's access to the server."""

    shop: Shop
    token: str | None
    socket: Client

    async def over_http(self, document: str, variables: Mapping[str, object]) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        body = {"query": document, "variables": variables}
        return (await self.shop.client.post("/graphql", json=body, headers=headers)).json()

    async def over_socket(self, document: str, variables: Mapping[str, object]) -> Answer:
        """Return the first answer to the operation, after completing the operation."""
        id_ = new_key()
        await self.socket.subscribe(id_, document, **variables)
        message = await self.socket.receive()
        # On a slow machine, pings arrive too.
        while message.get("id") != id_:
            message = await self.socket.receive()
        await self.socket.send({"id": id_, "type": "complete"})
        return message["payload"] if message["type"] == "next" else {"errors": message["payload"]}


@dataclass(frozen=True, slots=True)
class Matrix:
    shop: Shop
    world: World
    doors: Mapping[str, Door]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def matrix(module_valkey: ServerProcess, databases: DatabasePool) -> AsyncIterator[Matrix]:
    # A document with all fields below a root costs more than clients may ask for at once.
    engine = schema.build_engine(schema.DocumentRules(limits=OperationLimits(cost=10_000_000, fields=1_000)))
    async with open_shop(module_valkey, databases, engine=engine) as shop, AsyncExitStack() as stack:
        world = await open_world(shop)
        tokens = {viewer: token_of(shop, viewer) for viewer in VIEWERS}
        sockets = {viewer: await stack.enter_async_context(open_client(shop, tokens[viewer])) for viewer in VIEWERS}
        yield Matrix(shop, world, {viewer: Door(shop, tokens[viewer], sockets[viewer]) for viewer in VIEWERS})


def rows_of(kind: str) -> list[RootRow]:
    return [row for row in ROOT_ROWS if row.field.startswith(f"{kind}.")]


def operation_of(row: RootRow, world: World) -> tuple[str, dict[str, object]]:
    """Return a document that selects all fields below the root field, and its variables."""
    kind, _, name = row.field.partition(".")
    object_id = world.id_of(row.object)
    document, _ = document_of(schema.CORE_SCHEMA, kind.lower(), name, only=node_type(row))
    names = ("id",) if name in ("concert", "order", "node") else ()
    names = {"orderUpdated": ("orderId",), "ticketOffer": ("token",)}.get(name, names)
    subscriptions = [one.field.partition(".")[2] for one in rows_of("Subscription")]
    if name in ("waitingRoom", "queueEntry", "concertSales", "concertOrders", *subscriptions):
        names = names or ("concertId",)
    if name == "queueEntry":
        object_id = world.concert.id
    if name in ("holdChanged", "concertOrders") and row.object == "a published concert":
        object_id = world.plain.id
    if name == "concerts":
        return document, {"first": 3, "filter": {"city": world.city}}
    return document, dict.fromkeys(names, object_id)


def node_type(row: RootRow) -> str | None:
    types = {"concert": "Concert", "draft": "Concert", "hold": "Hold", "order": "Order", "entry": "QueueEntry"}
    types |= {"ticket": "Ticket", "customer": "Viewer"}
    if row.field != "Query.node":
        return None
    return "Tier" if "tier" in row.object else types[row.object.split()[-1]]


def outcome_of(answer: Answer, row: RootRow, world: World) -> str:
    """Return the outcome in the words of docs/rights.md."""
    name = row.field.partition(".")[2]
    for error in answer.get("errors", ()):
        if error.get("path", [name]) == [name]:
            return str(error["extensions"]["code"])
    found = answer["data"][name]
    if name == "concerts":
        return "yes" if world.id_of(row.object) in [node["id"] for node in found["nodes"]] else "hidden"
    if found is None:
        return "hidden"
    is_refused = row.field.startswith("Mutation.") and not found["__typename"].endswith("Success")
    return str(found["code"]) if is_refused else "yes"


def leaks(answer: Answer, viewer: str, world: World) -> set[str]:
    """Return the secrets in the answer that the viewer must not read."""
    text = orjson.dumps(answer).decode()
    return {secret for secret, readers in world.secrets.items() if secret in text and viewer not in readers}


@pytest.mark.parametrize("row", [*rows_of("Query"), *rows_of("Subscription")], ids=lambda row: row.id)
async def test_reads_show_only_what_the_rights_page_allows(matrix: Matrix, row: RootRow) -> None:
    document, variables = operation_of(row, matrix.world)
    before = await read_whole_stores(matrix.shop.stores)
    found = {}
    for viewer, door in matrix.doors.items():
        answers = [await door.over_socket(document, variables)]
        if row.field.startswith("Query."):
            answers.append(await door.over_http(document, variables))
        found[viewer] = {outcome_of(answer, row, matrix.world) for answer in answers}
        for answer in answers:
            assert leaks(answer, viewer, matrix.world) == set(), viewer
    assert found == {viewer: {outcome} for viewer, outcome in row.outcomes.items()}
    if row.field.startswith("Query."):
        changes = (await read_whole_stores(matrix.shop.stores)).changes_since(before)
        # The public keys of a concert are stored before one of its codes is first shown.
        assert changes <= {"ticket_keys"}


@pytest.mark.parametrize("row", rows_of("Mutation"), ids=lambda row: row.id)
async def test_refused_mutation_changes_and_shows_nothing(matrix: Matrix, row: RootRow) -> None:
    input_ = await new_input(matrix.shop, row)
    document = mutation_of(row)
    before = await read_whole_stores(matrix.shop.stores)
    for viewer, door in matrix.doors.items():
        if row.outcomes[viewer] == "yes":
            continue
        for send in (door.over_http, door.over_socket):
            answer = await send(document, {"input": input_})
            assert outcome_of(answer, row, matrix.world) == row.outcomes[viewer], (viewer, answer)
            assert leaks(answer, viewer, matrix.world) == set(), viewer
        after = await read_whole_stores(matrix.shop.stores)
        changes = after.changes_since(before)
        if row.outcomes[viewer] not in ("UNAUTHENTICATED", "FORBIDDEN"):
            # The index of the viewer's own concerts may contain one concert too many.
            changes = {name for name in changes if not name.startswith("onsale2:{p:")}
        assert changes == set(), viewer
        before = after


@pytest.mark.parametrize(
    "row", [row for row in rows_of("Mutation") if "yes" in row.outcomes.values()], ids=lambda row: row.id
)
async def test_allowed_mutation_succeeds(matrix: Matrix, row: RootRow) -> None:
    for viewer in [viewer for viewer, outcome in row.outcomes.items() if outcome == "yes"]:
        input_ = await new_input(matrix.shop, row)
        door = matrix.doors[viewer]
        if viewer == "other customer":
            # Bob must not own anything, because other tests would then see it in his answers.
            door = replace(door, token=matrix.shop.token("carol"))
        answer = await door.over_http(mutation_of(row), {"input": input_})
        assert outcome_of(answer, row, matrix.world) == "yes", (viewer, answer)


def mutation_of(row: RootRow) -> str:
    name = row.field.partition(".")[2]
    return f"""mutation ($input: {name[0].upper()}{name[1:]}Input!) {{
      {name}(input: $input) {{ __typename ... on DomainError {{ code message }} }}
    }}"""


async def test_each_field_is_shown_only_to_the_viewers_listed_on_the_page(matrix: Matrix) -> None:
    shown: dict[str, set[str]] = {viewer: set() for viewer in VIEWERS}
    for row in (*rows_of("Query"), *rows_of("Subscription")):
        kind, _, name = row.field.partition(".")
        if name == "holdChanged":
            # Each viewer has a separate hold there.
            continue
        document, variables = operation_of(row, matrix.world)
        _, selections = document_of(schema.CORE_SCHEMA, kind.lower(), name, only=node_type(row))
        for viewer, door in matrix.doors.items():
            shown[viewer] |= shown_fields(await door.over_socket(document, variables), name, selections)
    expected = {
        viewer: {
            name
            for row in TYPE_ROWS
            for name in row.fields
            if viewer in row.viewers and name.partition(".")[0] not in NEVER_REACHED
        }
        for viewer in VIEWERS
    }
    for viewer in VIEWERS:
        assert (shown[viewer] - expected[viewer], expected[viewer] - shown[viewer]) == (set(), set()), viewer
