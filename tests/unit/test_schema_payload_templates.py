"""Filling a template gives the same bytes as executing the operation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auth.viewer import Role
from domain.estimates.wait_estimates import WaitEstimate
from domain.ids import EntryId, PersonId
from domain.queues import EntryState, QueueEntry, RoomStatus
from domain.stock import StockAhead
from domain.topics import QueueSnapshot
from schema import Operation, OperationResult, ids, start
from schema.execution.payload_templates import Template, texts_of
from schema.execution.subscription_source import PreparedOperation, SubscriptionSource
from schema.queues import QueuePosition
from tests.support.pushed_executions import record_executions
from tests.support.sale import viewer
from tests.support.snapshots import CONCERT, NOW, ROOM, STOCK, FakeStores, entry

CONCERT_ID = ids.of_concert(CONCERT.id)
LEAVES = (
    *("__typename", "state", "number", "position", "servingNumber", "waitingCount", "expiresAt", "expiresInSeconds"),
    *("endReason", "lot", "opensAt", "roomStatus", "message", "stockAhead", "version", "epoch"),
)
PASS = "pass { token status expiresAt expiresInSeconds }"
WAIT = "estimatedWait { p50Seconds p90Seconds }"
STOCK_LEFT = "stock { version epoch soldOut tiers { tierId capacity available held sold } }"
ENTRY = (
    "entry { __typename id number state position joinedAt expiresAt expiresInSeconds endReason round lot version epoch"
    f" stockAhead {PASS} {WAIT} concert {{ id waitingRoom {{ version }} tiers {{ id available }} }} }}"
)
OBJECTS = (PASS, WAIT, STOCK_LEFT, ENTRY)
EVERYTHING = f"subscription ($id: ID!) {{ queuePosition(concertId: $id) {{ {' '.join((*LEAVES, *OBJECTS))} }} }}"


async def make_source(document: str, name: str = "p1", *roles: Role, **variables: object) -> SubscriptionSource:
    context = FakeStores().context(viewer(name, *roles))
    started = await start(Operation(document, {"id": CONCERT_ID, **variables}, None), context)
    assert not isinstance(started, OperationResult), started.payload
    assert isinstance(started, SubscriptionSource)
    return started


async def sources_of(document: str, entries: Sequence[QueueEntry]) -> list[SubscriptionSource]:
    """Return the source for each person, which shows only their own entry."""
    return [await make_source(document, one.person_id) for one in entries]


async def executed(source: SubscriptionSource, snapshot: QueueSnapshot) -> bytes:
    """Return the payload of an execution, from a source without templates."""
    prepared = PreparedOperation(source.prepared.key, source.prepared.execution)
    return (await replace(source, prepared=prepared).render(snapshot)).payload


async def rendered(source: SubscriptionSource, snapshot: QueueSnapshot) -> bytes:
    """Return the payload as the hub renders it."""
    return (source.render_cached(snapshot) or await source.render(snapshot)).payload


def person(number: int, **changes: Any) -> QueueEntry:
    estimate = WaitEstimate(number * 3, number * 7)
    waiting = replace(entry(EntryState.WAITING), person_id=PersonId(f"p{number}"), number=number, position=number + 2)
    joined_at = waiting.joined_at + timedelta(milliseconds=number * 37)
    mine = replace(waiting, entry_id=EntryId(1_000 + number), lot=number * 11, estimate=estimate, joined_at=joined_at)
    return replace(mine, **changes)


def snapshots(entries: Sequence[QueueEntry], **room: Any) -> list[QueueSnapshot]:
    """Return the snapshots of one refresh, which share their room and stock."""
    common = replace(ROOM, **room)
    return [QueueSnapshot(one, common, STOCK) for one in entries]


@st.composite
def entries_of_one_shape(draw: st.DrawFn) -> list[QueueEntry]:
    """Draw entries that differ only in integers and in personal fields."""
    state = draw(st.sampled_from([EntryState.PREQUEUED, EntryState.WAITING]))
    round_ = draw(st.integers(1, 3))
    keeps = draw(st.tuples(*[st.booleans()] * 4))

    def one(number: int) -> QueueEntry:
        values = [draw(st.integers(0, 2**31 - 1)) for _ in range(5)]
        estimate = WaitEstimate(values[3], values[4])
        kept = [value if keep else None for value, keep in zip(values, keeps, strict=False)]
        return replace(
            person(number, state=state, round=round_),
            joined_at=NOW + timedelta(milliseconds=draw(st.integers(0, 10**12))),
            number=kept[0],
            position=kept[1],
            lot=kept[2],
            estimate=estimate if keeps[3] else None,
        )

    return [one(number) for number in range(1, draw(st.integers(3, 6)))]


messages = st.text(max_size=30) | st.sampled_from(["%d", '%s %% \\ "', "1234567890", "é\u2028\U0001f3bb"])


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Draw a document with aliases, fragments and conditions; it may select a field repeatedly."""
    body = [
        _aliased(draw, index, draw(st.sampled_from([*LEAVES, *OBJECTS]))) for index in range(draw(st.integers(1, 12)))
    ]
    within = draw(st.lists(st.sampled_from([*LEAVES, WAIT, STOCK_LEFT, ENTRY]), min_size=1, max_size=4))
    inline = f"... on QueuePosition @include(if: $more) {{ {' '.join(within)} }}"
    spread = "...Named @skip(if: $more)" if draw(st.booleans()) else "...Named"
    again = draw(st.lists(st.sampled_from([*LEAVES, WAIT]), min_size=1))
    named = f"fragment Named on QueuePosition {{ {' '.join(again)} }}"
    root = draw(st.sampled_from(["queuePosition", "mine: queuePosition"]))
    return (
        f"subscription ($id: ID!, $more: Boolean = {draw(st.sampled_from(['true', 'false']))}) "
        f"{{ {root}(concertId: $id) {{ {' '.join(body)} {inline} {spread} }} }} {named}"
    )


def _aliased(draw: st.DrawFn, index: int, chosen: str) -> str:
    condition = draw(st.sampled_from(["", " @include(if: $more)", " @skip(if: $more)"]))
    name, brace, inside = chosen.partition(" {")
    alias = f"a{index}: " if draw(st.booleans()) else f"b{index}: "
    return f"{alias}{name}{condition}{brace}{inside}"


@settings(max_examples=40, deadline=None)
@given(documents(), st.lists(entries_of_one_shape(), min_size=1, max_size=2), messages, st.sampled_from(StockAhead))
async def test_template_gives_the_same_bytes_as_an_execution(
    document: str, shapes: list[list[QueueEntry]], message: str, ahead: StockAhead
) -> None:
    room = replace(ROOM, settings=replace(ROOM.settings, message=message))
    sources = [await sources_of(document, entries) for entries in shapes]
    for own, entries in zip(sources, shapes, strict=True):
        for source, one in zip([*own, *own], [*entries, *entries], strict=True):
            snapshot = QueueSnapshot(one, room, STOCK, ahead)
            assert await rendered(source, snapshot) == await executed(source, snapshot)
    for own, entries in zip(sources, shapes, strict=True):
        assert own[-1].render_cached(QueueSnapshot(entries[-1], room, STOCK, ahead)) is not None


async def test_third_snapshot_of_a_shape_needs_no_execution() -> None:
    people = [person(1), person(2), person(3)]
    sources, (first, second, third) = await sources_of(EVERYTHING, people), snapshots(people)
    assert sources[0].render_cached(first) is None
    await sources[0].render(first)
    assert sources[1].render_cached(second) is None
    await sources[1].render(second)
    filled = sources[2].render_cached(third)
    assert filled is not None
    assert filled.payload == await executed(sources[2], third)
    assert not filled.is_last


async def test_entry_of_another_person_is_refused_and_not_filled_in() -> None:
    """The hub never mixes up two subscribers; if it did, the permissions would refuse the entry."""
    people = [person(1), person(2), person(3)]
    sources, found = await sources_of(EVERYTHING, people), snapshots(people)
    for source, snapshot in zip(sources, found, strict=True):
        await source.render(snapshot)
    assert sources[2].render_cached(found[2]) is not None
    assert sources[2].render_cached(found[0]) is None
    payload = orjson.loads(await rendered(sources[2], found[0]))
    assert payload["data"]["queuePosition"]["entry"] is None
    assert {error["extensions"]["code"] for error in payload["errors"]} == {"FORBIDDEN"}


async def test_people_with_the_same_operation_and_roles_share_a_template() -> None:
    sources = [await make_source(EVERYTHING, f"p{number}") for number in range(1, 4)]
    people = snapshots([person(number) for number in range(1, 4)])
    assert [await rendered(*pair) for pair in zip(sources, people, strict=True)] == [
        await executed(*pair) for pair in zip(sources, people, strict=True)
    ]
    organizer = await make_source(EVERYTHING, "olivia", Role.ORGANIZER)
    assert sources[0].render_cached(people[0]) is not None
    assert organizer.render_cached(people[0]) is None


@pytest.mark.parametrize(
    "change",
    [
        {"state": EntryState.PREQUEUED},
        {"number": None},
        {"position": None},
        {"estimate": None},
        {"lot": None},
        {"round": 2},
    ],
    ids=str,
)
async def test_each_shape_has_a_separate_template(change: dict[str, Any]) -> None:
    people = [person(1), person(2), replace(person(3), **change)]
    sources, (first, second, other) = await sources_of(EVERYTHING, people), snapshots(people)
    await sources[0].render(first)
    await sources[1].render(second)
    assert sources[0].render_cached(first) is not None
    assert sources[2].render_cached(other) is None
    assert sources[0].render_cached(replace(first, stock_ahead=StockAhead.SOLD_OUT)) is None


@pytest.mark.parametrize("later", [{"version": 10}, {"status": RoomStatus.PAUSED}, {"waiting_count": 1}], ids=str)
async def test_later_version_of_the_room_needs_an_execution(later: dict[str, Any]) -> None:
    people = [person(1), person(2), person(3)]
    *known, source = await sources_of(EVERYTHING, people)
    for one, snapshot in zip(known, snapshots(people[:2]), strict=True):
        await one.render(snapshot)
    newer, *_ = snapshots([people[2]], **later)
    assert source.render_cached(newer) is None
    assert await rendered(source, newer) == await executed(source, newer)
    assert source.render_cached(newer) is None


@pytest.mark.parametrize("state", [EntryState.READY, EntryState.ADMITTED, EntryState.COMPLETED, EntryState.LEFT])
async def test_entry_that_was_called_or_has_ended_needs_an_execution(state: EntryState) -> None:
    """Passes, deadlines and end reasons differ from person to person."""
    source = await make_source(EVERYTHING, "alice")
    for snapshot in snapshots([entry(state, token="secret")] * 3):
        assert source.render_cached(snapshot) is None
        await source.render(snapshot)


async def test_people_who_never_joined_share_a_template() -> None:
    sources = [await make_source(EVERYTHING, f"p{number}") for number in range(1, 4)]
    snapshot = QueueSnapshot(None, ROOM, STOCK)
    for source in sources:
        assert await rendered(source, snapshot) == await executed(source, snapshot)
    assert sources[2].render_cached(snapshot) is not None
    assert sources[0].render_cached(replace(snapshot, entry=person(1))) is None


async def test_entry_that_gets_a_lost_id_again_shows_its_own_time() -> None:
    """A store that lost its state gives ids again from the first."""
    people = [person(1), person(2), person(3)]
    for source, snapshot in zip(sources := await sources_of(EVERYTHING, people), snapshots(people), strict=True):
        assert await rendered(source, snapshot) == await executed(source, snapshot)
    again = [replace(one, joined_at=one.joined_at + timedelta(hours=1)) for one in people]
    newcomers = await sources_of(EVERYTHING, again[:2])
    for source, snapshot in zip([*newcomers, sources[2]], snapshots(again, epoch=2), strict=True):
        assert await rendered(source, snapshot) == await executed(source, snapshot)


async def test_message_that_contains_a_mark_prevents_a_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schema.execution.payload_templates.secrets.randbelow", lambda _: 234_567_890)
    room = replace(ROOM, settings=replace(ROOM.settings, message="call 1234567890"))
    people = [QueueSnapshot(person(number), room, STOCK) for number in range(1, 5)]
    for source, snapshot in zip([await make_source(EVERYTHING, f"p{n}") for n in range(1, 5)], people, strict=True):
        assert await rendered(source, snapshot) == await executed(source, snapshot)
        assert source.render_cached(snapshot) is None


async def test_personal_text_prevents_a_template(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a field contains personal text, every payload is rendered by an execution."""
    built = QueuePosition.of

    def build(snapshot: QueueSnapshot, person_id: PersonId) -> QueuePosition:
        made = built(snapshot, person_id)
        made.message = f"Dear {person_id}"
        return made

    monkeypatch.setattr(QueuePosition, "of", build)
    for name, snapshot in zip(("p1", "p2", "p3"), snapshots([person(1), person(2), person(3)]), strict=True):
        source = await make_source(EVERYTHING, name)
        assert f"Dear {name}".encode() in await rendered(source, snapshot)


async def test_personal_time_prevents_a_template(monkeypatch: pytest.MonkeyPatch) -> None:
    built = QueuePosition.of

    def build(snapshot: QueueSnapshot, person_id: PersonId) -> QueuePosition:
        made = built(snapshot, person_id)
        made.expires_at = snapshot.entry.joined_at + timedelta(days=1) if snapshot.entry else None
        return made

    monkeypatch.setattr(QueuePosition, "of", build)
    joined = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    people = [person(day.day, joined_at=day) for day in joined]
    for source, snapshot in zip(await sources_of(EVERYTHING, people), snapshots(people), strict=True):
        assert await rendered(source, snapshot) == await executed(source, snapshot)
        assert source.render_cached(snapshot) is None


@dataclass
class Executions:
    """The number of executions of a subscription's payload."""

    count: int = 0


@pytest.fixture
def executions(monkeypatch: pytest.MonkeyPatch) -> Executions:
    executions = Executions()

    def count(*_: object) -> None:
        executions.count += 1

    record_executions(monkeypatch, count)
    return executions


@pytest.mark.parametrize("selection", ["state position", "entry { id state position joinedAt }", ENTRY])
async def test_refresh_needs_three_executions_for_any_number_of_people(selection: str, executions: Executions) -> None:
    """Two people are rendered, and a placeholder; everyone else is filled into the template."""
    document = f"subscription ($id: ID!) {{ queuePosition(concertId: $id) {{ {selection} version }} }}"
    sources = [await make_source(document, f"p{number}") for number in range(1, 61)]
    for refresh in range(1, 4):
        entries = [person(number, position=60 * refresh + number) for number in range(1, 61)]
        people = snapshots(entries, version=refresh)
        payloads = [await rendered(*pair) for pair in zip(sources, people, strict=True)]
        assert executions.count == 3
        assert payloads == [await executed(*pair) for pair in zip(sources, people, strict=True)]
        executions.count = 0


async def test_texts_of_an_entry_are_written_once_per_subscriber(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[EntryId] = []

    def write(entry: QueueEntry) -> tuple[bytes, ...]:
        written.append(entry.entry_id)
        return texts_of(entry)

    monkeypatch.setattr("schema.execution.payload_templates.texts_of", write)
    people = [person(number) for number in (1, 2, 3)]
    sources = await sources_of(EVERYTHING, people)
    for refresh in range(1, 4):
        for source, snapshot in zip(sources, snapshots(people, version=refresh), strict=True):
            await rendered(source, snapshot)
    # The second person is always rendered.
    assert [written.count(one.entry_id) for one in people] == [1, 0, 1]
    (joined_again,) = snapshots([person(3, entry_id=EntryId(2_000))])
    await rendered(sources[2], joined_again)
    assert written[-1] == EntryId(2_000)


async def test_organizer_in_the_queue_does_not_share_the_template_of_others() -> None:
    document = "subscription ($id: ID!) { queuePosition(concertId: $id) { entry { id concert { organizerId } } } }"
    owner = str(CONCERT.organizer_id)
    names = ("otto", "oscar", owner, owner, "odile", owner)
    people = snapshots([person(number, person_id=PersonId(name)) for number, name in enumerate(names, start=1)])
    for name, snapshot in zip(names, people, strict=True):
        source = await make_source(document, name, Role.ORGANIZER)
        payload = orjson.loads(await rendered(source, snapshot))
        shown = payload["data"]["queuePosition"]["entry"]["concert"]["organizerId"]
        assert shown == (owner if name == owner else None)
        assert [error["extensions"]["code"] for error in payload.get("errors", ())] == ["FORBIDDEN"] * (name != owner)


def test_template_without_integers_returns_its_text() -> None:
    template = Template.cut(b'{"a":"100%"}', (None, None, None, None, None))
    assert template.fill((1, 2, 3, 4, 5)) == b'{"a":"100%"}'


def test_template_has_holes_for_texts_beside_integers() -> None:
    template = Template.cut(
        b'{"id":"a-b.c","n":1000000001,"at":"%x","again":"a-b.c"}', (1_000_000_001, b"a-b.c", b"%x")
    )
    assert template.fill((7, b"%d", b"now")) == b'{"id":"%d","n":7,"at":"now","again":"%d"}'


def test_integers_may_occur_more_than_once_and_in_any_order() -> None:
    template = Template.cut(b"1000000002 1000000001 % 1000000002", (1_000_000_001, 1_000_000_002, None, None, None))
    assert template.fill((7, 8, None, None, None)) == b"8 7 % 8"
