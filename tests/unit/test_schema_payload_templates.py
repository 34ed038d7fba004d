"""Filling a template gives the same bytes as executing the operation."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

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
from schema.execution.payload_templates import Template
from schema.execution.subscription_source import PreparedOperation, SubscriptionSource
from schema.queues import QueuePosition
from tests.support.sale import viewer
from tests.support.snapshots import CONCERT, ROOM, STOCK, FakeStores, entry

CONCERT_ID = ids.of_concert(CONCERT.id)
LEAVES = (
    *("__typename", "state", "number", "position", "servingNumber", "waitingCount", "expiresAt", "expiresInSeconds"),
    *("endReason", "lot", "opensAt", "roomStatus", "message", "stockAhead", "version", "epoch"),
)
PASS = "pass { token status expiresAt expiresInSeconds }"
WAIT = "estimatedWait { p50Seconds p90Seconds }"
STOCK_LEFT = "stock { version epoch soldOut tiers { tierId capacity available held sold } }"
EVERYTHING = (
    f"subscription ($id: ID!) {{ queuePosition(concertId: $id) {{ {' '.join(LEAVES)} {PASS} {WAIT} {STOCK_LEFT} }} }}"
)


async def make_source(document: str, name: str = "p1", *roles: Role, **variables: object) -> SubscriptionSource:
    context = FakeStores().context(viewer(name, *roles))
    started = await start(Operation(document, {"id": CONCERT_ID, **variables}, None), context)
    assert not isinstance(started, OperationResult), started.payload
    assert isinstance(started, SubscriptionSource)
    return started


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
    return replace(waiting, entry_id=EntryId(1_000 + number), lot=number * 11, estimate=estimate, **changes)


def snapshots(entries: Sequence[QueueEntry], **room: Any) -> list[QueueSnapshot]:
    """Return the snapshots of one refresh, which share their room and stock."""
    common = replace(ROOM, **room)
    return [QueueSnapshot(one, common, STOCK) for one in entries]


@st.composite
def entries_of_one_shape(draw: st.DrawFn) -> list[QueueEntry]:
    """Draw entries that differ only in integers and in personal fields."""
    state = draw(st.sampled_from([EntryState.PREQUEUED, EntryState.WAITING]))
    keeps = draw(st.tuples(*[st.booleans()] * 4))

    def one(number: int) -> QueueEntry:
        values = [draw(st.integers(0, 2**31 - 1)) for _ in range(5)]
        estimate = WaitEstimate(values[3], values[4])
        kept = [value if keep else None for value, keep in zip(values, keeps, strict=False)]
        return replace(
            person(number, state=state),
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
        _aliased(draw, index, draw(st.sampled_from([*LEAVES, PASS, WAIT, STOCK_LEFT])))
        for index in range(draw(st.integers(1, 12)))
    ]
    within = draw(st.lists(st.sampled_from([*LEAVES, WAIT, STOCK_LEFT]), min_size=1, max_size=4))
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


@settings(max_examples=60, deadline=None)
@given(documents(), st.lists(entries_of_one_shape(), min_size=1, max_size=2), messages, st.sampled_from(StockAhead))
async def test_template_gives_the_same_bytes_as_an_execution(
    document: str, shapes: list[list[QueueEntry]], message: str, ahead: StockAhead
) -> None:
    source = await make_source(document)
    room = replace(ROOM, settings=replace(ROOM.settings, message=message))
    for one in [one for entries in shapes for one in [*entries, *entries]]:
        snapshot = QueueSnapshot(one, room, STOCK, ahead)
        assert await rendered(source, snapshot) == await executed(source, snapshot)
    for entries in shapes:
        assert source.render_cached(QueueSnapshot(entries[-1], room, STOCK, ahead)) is not None


async def test_third_snapshot_of_a_shape_needs_no_execution() -> None:
    source = await make_source(EVERYTHING)
    first, second, third = snapshots([person(1), person(2), person(3)])
    assert source.render_cached(first) is None
    await source.render(first)
    assert source.render_cached(second) is None
    await source.render(second)
    filled = source.render_cached(third)
    assert filled is not None
    assert filled.payload == await executed(source, third)
    assert not filled.is_last


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
    ],
    ids=str,
)
async def test_each_shape_has_a_separate_template(change: dict[str, Any]) -> None:
    source = await make_source(EVERYTHING)
    *known, other = snapshots([person(1), person(2), replace(person(3), **change)])
    for snapshot in known:
        await source.render(snapshot)
    assert source.render_cached(known[0]) is not None
    assert source.render_cached(other) is None
    assert source.render_cached(replace(known[0], stock_ahead=StockAhead.SOLD_OUT)) is None


@pytest.mark.parametrize("later", [{"version": 10}, {"status": RoomStatus.PAUSED}, {"waiting_count": 1}], ids=str)
async def test_later_version_of_the_room_needs_an_execution(later: dict[str, Any]) -> None:
    source = await make_source(EVERYTHING)
    for snapshot in snapshots([person(1), person(2)]):
        await source.render(snapshot)
    newer, *_ = snapshots([person(3)], **later)
    assert source.render_cached(newer) is None
    assert await rendered(source, newer) == await executed(source, newer)
    assert source.render_cached(newer) is None


@pytest.mark.parametrize("state", [EntryState.READY, EntryState.ADMITTED, EntryState.COMPLETED, EntryState.LEFT])
async def test_entry_that_was_called_or_has_ended_needs_an_execution(state: EntryState) -> None:
    """Passes, deadlines and end reasons differ from person to person."""
    source = await make_source(EVERYTHING)
    for snapshot in snapshots([entry(state, token="secret")] * 3):
        assert source.render_cached(snapshot) is None
        await source.render(snapshot)


async def test_people_who_never_joined_share_a_template() -> None:
    sources = [await make_source(EVERYTHING, f"p{number}") for number in range(1, 4)]
    snapshot = QueueSnapshot(None, ROOM, STOCK)
    for source in sources:
        assert await rendered(source, snapshot) == await executed(source, snapshot)
    assert sources[2].render_cached(snapshot) is not None
    assert sources[2].render_cached(replace(snapshot, entry=person(1))) is None


async def test_message_that_contains_a_mark_prevents_a_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schema.execution.payload_templates.secrets.randbelow", lambda _: 234_567_890)
    source = await make_source(EVERYTHING)
    room = replace(ROOM, settings=replace(ROOM.settings, message="call 1234567890"))
    people = [QueueSnapshot(person(number), room, STOCK) for number in range(1, 5)]
    for snapshot in people:
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
        made.expires_at = snapshot.entry.joined_at if snapshot.entry else None
        return made

    monkeypatch.setattr(QueuePosition, "of", build)
    joined = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    source = await make_source(EVERYTHING)
    for snapshot in snapshots([person(day.day, joined_at=day) for day in joined]):
        assert await rendered(source, snapshot) == await executed(source, snapshot)


def test_template_without_integers_returns_its_text() -> None:
    template = Template.cut(b'{"a":"100%"}', (None, None, None, None, None))
    assert template.fill((1, 2, 3, 4, 5)) == b'{"a":"100%"}'


def test_integers_may_occur_more_than_once_and_in_any_order() -> None:
    template = Template.cut(b"1000000002 1000000001 % 1000000002", (1_000_000_001, 1_000_000_002, None, None, None))
    assert template.fill((7, 8, None, None, None)) == b"8 7 % 8"
