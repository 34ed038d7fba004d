"""The conversion of queues, summed from archived events."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.analytics.queue_conversion import QueueConversion, QueueSteps
from domain.analytics.time_ranges import TimeInterval, make_time_range
from domain.ids import ConcertId, EntryId, PersonId
from domain.queue_events import QueueEvent, QueueEventKind
from domain.queues import EntryEnd, RoomSettings
from resolvers import queues
from storage.connect import Stores
from storage.mongo.analytics import aggregation, queue_conversions
from tests.support.queue_steps import hold_with_pass
from tests.support.sale import buy, context, on_sale
from workers.admission import AdmissionWorker
from workers.history import HistoryWorker

CONCERT = ConcertId("abcdefghjkmn")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def event(
    kind: QueueEventKind, minutes: float, *, entry: int = 1, end: EntryEnd | None = None, round_: int = 1
) -> QueueEvent:
    at = NOON + timedelta(minutes=minutes)
    return QueueEvent(
        concert_id=CONCERT,
        id=f"{int(at.timestamp() * 1000)}-{entry}",
        kind=kind,
        at=at,
        person_id=PersonId(f"p{entry}"),
        entry_id=EntryId(entry),
        round=round_,
        end_reason=end,
    )


def again(repeated: QueueEvent, minutes: float) -> QueueEvent:
    """Return the event as a rolled-back store repeats it later, under another id."""
    at = repeated.at + timedelta(minutes=minutes)
    return replace(repeated, at=at, id=f"{int(at.timestamp() * 1000)}-99")


JOINED = event(QueueEventKind.JOINED, 1)
CALLED = event(QueueEventKind.CALLED, 2)
CLAIMED = event(QueueEventKind.CLAIMED, 3)
COMPLETED = event(QueueEventKind.COMPLETED, 4, end=EntryEnd.SPENT)


async def test_people_of_a_real_queue_are_counted_where_they_dropped_out(stores: Stores) -> None:
    room = RoomSettings(suspended=False, total_active_users=3)
    concert = await on_sale(stores, 10, room=room)
    for who in ("ann", "ben", "cyd", "dan", "eve"):
        await queues.join_queue(context(stores, who), concert.id)
    await queues.leave_queue(context(stores, "dan"), concert.id)
    await AdmissionWorker().run_once(stores)
    for who in ("ann", "ben"):
        await queues.claim_pass(context(stores, who), concert.id)
    await buy(stores, await hold_with_pass(stores, concert, PersonId("ann")))
    for who in ("ben", "cyd"):
        await queues.leave_queue(context(stores, who), concert.id)
    await HistoryWorker().run_once(stores)
    found = await stores.queue_conversions.read(concert.id)
    # Eve was called when a slot became free.
    assert found == QueueConversion(
        joined=5, called=4, claimed=2, completed=1, left_waiting=1, left_called=1, left_admitted=1
    )
    assert found.rate == 0.2


async def test_step_that_was_archived_twice_counts_once(stores: Stores) -> None:
    events = [JOINED, CALLED, CLAIMED, COMPLETED]
    await stores.queue_history.add([*events, *(again(one, 70) for one in events)])
    once = QueueConversion(joined=1, called=1, claimed=1, completed=1)
    assert await stores.queue_conversions.read(CONCERT) == once
    range_ = make_time_range(TimeInterval.HOUR, start=NOON, end=NOON + 2 * HOUR, now=NOON, time_zone=None)
    assert await stores.queue_conversions.read_over_time(CONCERT, range_) == (
        QueueSteps(NOON, joined=1, called=1, claimed=1, completed=1),
    )


async def test_person_who_joins_again_counts_again(stores: Stores) -> None:
    second_entry = replace(event(QueueEventKind.JOINED, 5, entry=2), person_id=JOINED.person_id)
    second_round = replace(event(QueueEventKind.JOINED, 6, entry=3, round_=2), person_id=JOINED.person_id)
    await stores.queue_history.add([JOINED, second_entry, second_round])
    assert await stores.queue_conversions.read(CONCERT) == QueueConversion(joined=3)


async def test_steps_are_counted_by_period(stores: Stores) -> None:
    events = [
        event(QueueEventKind.JOINED, -1, entry=9),
        *(event(QueueEventKind.JOINED, minute, entry=minute) for minute in range(1, 4)),
        event(QueueEventKind.CALLED, 61),
        event(QueueEventKind.CLAIMED, 62),
        event(QueueEventKind.COMPLETED, 63, end=EntryEnd.SPENT),
        event(QueueEventKind.LEFT, 64, entry=2, end=EntryEnd.LEFT),
        event(QueueEventKind.EXPIRED, 65, entry=3, end=EntryEnd.ABSENT),
        event(QueueEventKind.EXPIRED, 66, entry=9, end=EntryEnd.SALE_OVER),
        event(QueueEventKind.JOINED, 120, entry=8),
    ]
    everyone = replace(event(QueueEventKind.ADMITTED, 61, entry=7), person_id=None, count=1)
    await stores.queue_history.add([*events, everyone])
    range_ = make_time_range(TimeInterval.HOUR, start=NOON, end=NOON + 2 * HOUR, now=NOON, time_zone=None)
    found = await stores.queue_conversions.read_over_time(CONCERT, range_)
    assert sorted(found, key=lambda steps: steps.start) == [
        QueueSteps(NOON, joined=3),
        QueueSteps(NOON + HOUR, called=1, claimed=1, completed=1, dropped_out=2),
    ]


async def test_long_queue_is_summed_in_parts(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_conversions, "EVENTS_PER_PART", 5)
    parts: list[int] = []

    async def aggregate(collection: Any, pipeline: list[Any], **options: Any) -> list[Any]:
        found = await aggregation.aggregate(collection, pipeline, **options)
        parts.append(len(found))
        return found

    monkeypatch.setattr(queue_conversions, "aggregate", aggregate)
    await stores.queue_history.add(
        [
            one
            for entry in range(1, 8)
            for one in (
                event(QueueEventKind.JOINED, entry, entry=entry),
                event(QueueEventKind.CALLED, entry + 60, entry=entry),
                event(QueueEventKind.LEFT, entry + 60.5, entry=entry, end=EntryEnd.LEFT),
            )
        ]
    )
    assert await stores.queue_conversions.read(CONCERT) == QueueConversion(joined=7, called=7, left_called=7)
    # Each part has two of the seven people.
    assert len(parts) == 4
    range_ = make_time_range(TimeInterval.HOUR, start=NOON, end=NOON + 2 * HOUR, now=NOON, time_zone=None)
    found = await stores.queue_conversions.read_over_time(CONCERT, range_)
    assert sorted(found, key=lambda steps: steps.start) == [
        QueueSteps(NOON, joined=7),
        QueueSteps(NOON + HOUR, called=7, dropped_out=7),
    ]
    assert len(parts) == 8
    parts.clear()
    range_ = make_time_range(TimeInterval.MINUTE, start=NOON, end=NOON + timedelta(minutes=3), now=NOON, time_zone=None)
    assert len(await stores.queue_conversions.read_over_time(CONCERT, range_)) == 2
    assert len(parts) == 1


async def test_concert_without_a_queue_has_zeros(stores: Stores) -> None:
    assert await stores.queue_conversions.read(CONCERT) == QueueConversion()
