"""What is filled into a template is, byte by byte, what an execution for that very person would have given."""

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
from schema.execution.subscription_source import SubscriptionSource
from schema.queues import QueuePosition
from tests.support.sale import viewer
from tests.support.snapshots import CONCERT, ROOM, STOCK, FewStores, entry

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


async def watching(document: str, who: str = "p1", *roles: Role, **variables: object) -> SubscriptionSource:
    context = FewStores().context(viewer(who, *roles))
    begun = await start(Operation(document, {"id": CONCERT_ID, **variables}, None), context)
    assert not isinstance(begun, OperationResult), begun.payload
    assert isinstance(begun, SubscriptionSource)
    return begun


async def ordinary(source: SubscriptionSource, snapshot: QueueSnapshot) -> bytes:
    return await source._execute(snapshot, source.context.viewer)


async def shown(source: SubscriptionSource, snapshot: QueueSnapshot) -> bytes:
    """As the hub shows it."""
    return (source.render_cached(snapshot) or await source.render(snapshot)).payload


def person(number: int, **changes: Any) -> QueueEntry:
    estimate = WaitEstimate(number * 3, number * 7)
    waiting = replace(entry(EntryState.WAITING), person_id=PersonId(f"p{number}"), number=number, position=number + 2)
    return replace(waiting, entry_id=EntryId(1_000 + number), lot=number * 11, estimate=estimate, **changes)


def snapshots(entries: Sequence[QueueEntry], **room: Any) -> list[QueueSnapshot]:
    """Of one look: they have their room and their stock in common."""
    common = replace(ROOM, **room)
    return [QueueSnapshot(one, common, STOCK) for one in entries]


@st.composite
def lines_of_one_shape(draw: st.DrawFn) -> list[QueueEntry]:
    """People who differ in nothing but their integers, and what is nobody else's business."""
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
    """Any selection of fields, with aliases, fragments and conditions, any of them more than once."""
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
@given(documents(), st.lists(lines_of_one_shape(), min_size=1, max_size=2), messages, st.sampled_from(StockAhead))
async def test_a_template_gives_what_an_execution_gives(
    document: str, lines: list[list[QueueEntry]], message: str, ahead: StockAhead
) -> None:
    source = await watching(document)
    told = replace(ROOM, settings=replace(ROOM.settings, message=message))
    for one in [one for line in lines for one in [*line, *line]]:
        snapshot = QueueSnapshot(one, told, STOCK, ahead)
        assert await shown(source, snapshot) == await ordinary(source, snapshot)
    for line in lines:
        assert source.render_cached(QueueSnapshot(line[-1], told, STOCK, ahead)) is not None


async def test_the_third_of_a_shape_costs_no_execution() -> None:
    source = await watching(EVERYTHING)
    first, second, third = snapshots([person(1), person(2), person(3)])
    assert source.render_cached(first) is None
    await source.render(first)
    assert source.render_cached(second) is None
    await source.render(second)
    filled = source.render_cached(third)
    assert filled is not None
    assert filled.payload == await ordinary(source, third)
    assert not filled.is_last


async def test_everybody_with_the_same_operation_and_roles_shares_a_template() -> None:
    sources = [await watching(EVERYTHING, f"p{number}") for number in range(1, 4)]
    people = snapshots([person(number) for number in range(1, 4)])
    assert [await shown(*pair) for pair in zip(sources, people, strict=True)] == [
        await ordinary(*pair) for pair in zip(sources, people, strict=True)
    ]
    organizer = await watching(EVERYTHING, "olivia", Role.ORGANIZER)
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
async def test_another_shape_is_another_template(change: dict[str, Any]) -> None:
    source = await watching(EVERYTHING)
    *known, other = snapshots([person(1), person(2), replace(person(3), **change)])
    for snapshot in known:
        await source.render(snapshot)
    assert source.render_cached(known[0]) is not None
    assert source.render_cached(other) is None
    assert source.render_cached(replace(known[0], stock_ahead=StockAhead.SOLD_OUT)) is None


@pytest.mark.parametrize("later", [{"version": 10}, {"status": RoomStatus.PAUSED}, {"waiting_count": 1}], ids=str)
async def test_a_newer_state_of_the_room_is_shown_anew(later: dict[str, Any]) -> None:
    source = await watching(EVERYTHING)
    for snapshot in snapshots([person(1), person(2)]):
        await source.render(snapshot)
    newer, *_ = snapshots([person(3)], **later)
    assert source.render_cached(newer) is None
    assert await shown(source, newer) == await ordinary(source, newer)
    assert source.render_cached(newer) is None


@pytest.mark.parametrize("state", [EntryState.READY, EntryState.ADMITTED, EntryState.COMPLETED, EntryState.LEFT])
async def test_who_was_called_is_shown_the_ordinary_way(state: EntryState) -> None:
    """A pass, a deadline and an end are somebody's own."""
    source = await watching(EVERYTHING)
    for snapshot in snapshots([entry(state, token="secret")] * 3):
        assert source.render_cached(snapshot) is None
        await source.render(snapshot)


async def test_people_who_never_joined_see_the_same() -> None:
    sources = [await watching(EVERYTHING, f"p{number}") for number in range(1, 4)]
    snapshot = QueueSnapshot(None, ROOM, STOCK)
    for source in sources:
        assert await shown(source, snapshot) == await ordinary(source, snapshot)
    assert sources[2].render_cached(snapshot) is not None
    assert sources[2].render_cached(replace(snapshot, entry=person(1))) is None


async def test_a_text_that_looks_like_a_mark_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schema.execution.payload_templates.secrets.randbelow", lambda _: 234_567_890)
    source = await watching(EVERYTHING)
    told = replace(ROOM, settings=replace(ROOM.settings, message="call 1234567890"))
    people = [QueueSnapshot(person(number), told, STOCK) for number in range(1, 5)]
    for snapshot in people:
        assert await shown(source, snapshot) == await ordinary(source, snapshot)
        assert source.render_cached(snapshot) is None


async def test_what_is_somebodys_own_keeps_a_template_from_being_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should a field ever show more than integers, the proof fails and everybody is shown the ordinary way."""
    built = QueuePosition.of

    def telling(line: QueueSnapshot, person_id: PersonId) -> QueuePosition:
        made = built(line, person_id)
        made.message = f"Dear {person_id}"
        return made

    monkeypatch.setattr(QueuePosition, "of", telling)
    for name, snapshot in zip(("p1", "p2", "p3"), snapshots([person(1), person(2), person(3)]), strict=True):
        source = await watching(EVERYTHING, name)
        assert f"Dear {name}".encode() in await shown(source, snapshot)


async def test_a_time_of_somebodys_own_does_too(monkeypatch: pytest.MonkeyPatch) -> None:
    built = QueuePosition.of

    def telling(line: QueueSnapshot, person_id: PersonId) -> QueuePosition:
        made = built(line, person_id)
        made.expires_at = line.entry.joined_at if line.entry else None
        return made

    monkeypatch.setattr(QueuePosition, "of", telling)
    joined = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    source = await watching(EVERYTHING)
    for snapshot in snapshots([person(day.day, joined_at=day) for day in joined]):
        assert await shown(source, snapshot) == await ordinary(source, snapshot)


def test_a_template_without_places_is_its_text() -> None:
    template = Template.cut(b'{"a":"100%"}', (None, None, None, None, None))
    assert template.fill((1, 2, 3, 4, 5)) == b'{"a":"100%"}'


def test_an_integer_may_be_shown_more_than_once_and_in_any_order() -> None:
    template = Template.cut(b"1000000002 1000000001 % 1000000002", (1_000_000_001, 1_000_000_002, None, None, None))
    assert template.fill((7, 8, None, None, None)) == b"8 7 % 8"
