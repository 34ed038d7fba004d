"""Only people near the front are sent every change of position. Other changes to an entry are sent
immediately.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count

import pytest

from domain.concerts import Concert
from domain.holds import Hold
from domain.ids import PersonId
from domain.queues import EntryEnd, EntryState, RoomStatus
from domain.room_changes import RoomSettingsPatch
from domain.stock import StockAhead
from domain.topics import HoldsTopic, QueueTopic
from resolvers import holds, queues, rooms
from storage.connect import Stores
from subscriptions.hub import Hub
from subscriptions.publishing.push_intervals import PushIntervals
from tests.support.hot_keys import advance_clock
from tests.support.hub_recorder import ROOM, SnapshotRecorder, check_rising, open_hub, subscribe
from tests.support.lossy_hints import lose_hints
from tests.support.lottery import register, with_lottery
from tests.support.queue_steps import make_people
from tests.support.sale import context, key, lines, on_sale, organizer
from tests.support.waiting import wait_until
from workers.admission import AdmissionWorker
from workers.expiry import ExpiryWorker
from workers.opening import OpeningWorker

PEOPLE = make_people(30)
FRONT_ONLY = PushIntervals(((2, 0.0),), 1_000.0)
"""People behind the second position are sent no changes of position during a test."""


async def with_people_waiting(stores: Stores, **settings: object) -> Concert:
    concert = await on_sale(stores, 10, room=replace(ROOM, **settings))  # type: ignore[arg-type]
    await register(stores, concert, PEOPLE)
    return concert


async def subscribe_queue(hub: Hub, concert: Concert, *people: PersonId) -> list[SnapshotRecorder]:
    return list(await asyncio.gather(*[subscribe(hub, QueueTopic(concert.id, person_id)) for person_id in people]))


async def configure(stores: Stores, concert: Concert, **settings: object) -> None:
    change = RoomSettingsPatch(tuple(settings.items()))  # type: ignore[arg-type]
    await rooms.configure(organizer(stores), concert.id, change, expected_version=None)


async def call_people(stores: Stores) -> None:
    await ExpiryWorker().run_once(stores)
    await AdmissionWorker().run_once(stores)


async def test_only_people_near_the_front_are_sent_every_position(stores: Stores, valkey_url: str) -> None:
    concert = await with_people_waiting(stores)
    async with open_hub(stores, valkey_url, push_intervals=FRONT_ONLY) as (hub, _):
        near, far = await subscribe_queue(hub, concert, PEOPLE[0], PEOPLE[29])
        for gone, who in enumerate(PEOPLE[5:25], start=1):
            await queues.leave_queue(context(stores, who), concert.id)
            await wait_until(partial(_has_waiting_count, near, 30 - gone), what="the move")
        assert len(near.snapshots) == 21
        assert len(far.snapshots) == 1
        check_rising(near)


async def test_people_far_from_the_front_are_sent_the_latest_position(stores: Stores, valkey_url: str) -> None:
    concert = await with_people_waiting(stores)
    async with open_hub(stores, valkey_url, push_intervals=PushIntervals((), 0.3)) as (hub, _):
        (far,) = await subscribe_queue(hub, concert, PEOPLE[29])
        for who in PEOPLE[5:25]:
            await queues.leave_queue(context(stores, who), concert.id)
        await wait_until(lambda: far.state_and_position() == (EntryState.WAITING, 10), what="the last move")
        check_rising(far)


def _has_waiting_count(seen: SnapshotRecorder, count: int) -> bool:
    return seen.queue().room.waiting_count == count


async def test_changes_to_a_persons_entry_are_pushed_immediately(stores: Stores, valkey_url: str) -> None:
    concert = await with_people_waiting(stores)
    async with open_hub(stores, valkey_url, push_intervals=FRONT_ONLY) as (hub, _):
        called, left, bystander = await subscribe_queue(hub, concert, PEOPLE[1], PEOPLE[20], PEOPLE[29])
        await queues.leave_queue(context(stores, PEOPLE[20]), concert.id)
        await wait_until(lambda: left.state_and_position()[0] is EntryState.LEFT, what="the end")
        assert left.entry().end_reason is EntryEnd.LEFT
        await call_people(stores)
        await wait_until(lambda: called.state_and_position() == (EntryState.READY, 0), what="the call")
        await queues.claim_pass(context(stores, PEOPLE[1]), concert.id)
        await wait_until(lambda: called.state_and_position()[0] is EntryState.ADMITTED, what="the pass")
        assert bystander.state_and_position() == (EntryState.WAITING, 30)
        assert len(bystander.snapshots) == 1


async def test_message_and_status_are_pushed_to_everyone_immediately(stores: Stores, valkey_url: str) -> None:
    concert = await with_people_waiting(stores)
    async with open_hub(stores, valkey_url, push_intervals=FRONT_ONLY) as (hub, _):
        recorders = await subscribe_queue(hub, concert, *PEOPLE)

        await configure(stores, concert, message="Doors open late")
        await wait_until(
            lambda: {one.queue().room.settings.message for one in recorders} == {"Doors open late"}, what="the message"
        )
        await rooms.pause(organizer(stores), concert.id)
        await wait_until(
            lambda: {one.queue().room.status for one in recorders} == {RoomStatus.PAUSED}, what="the pause"
        )


async def test_sold_out_forecast_is_pushed_immediately_and_withdrawn(stores: Stores, valkey_url: str) -> None:
    concert = await with_people_waiting(stores)
    async with open_hub(stores, valkey_url, push_intervals=FRONT_ONLY) as (hub, _):
        far = (await subscribe_queue(hub, concert, PEOPLE[29]))[0]
        assert far.queue().stock_ahead is StockAhead.AVAILABLE
        await call_people(stores)
        buyer = context(stores, PEOPLE[0])
        claimed = await queues.claim_pass(buyer, concert.id)
        assert claimed.queue_pass is not None
        held = await holds.hold_tickets(buyer, concert.id, lines(concert, 10), key(), claimed.queue_pass.token)
        await wait_until(lambda: far.queue().stock_ahead is StockAhead.SOLD_OUT, what="sold out")
        await holds.release_hold(buyer, concert.id, held.id)
        await wait_until(lambda: far.queue().stock_ahead is StockAhead.AVAILABLE, what="the returned stock")
        assert len(far.snapshots) == 3


async def test_reset_is_pushed_to_everyone_and_people_can_join_again(stores: Stores, valkey_url: str) -> None:
    concert = await with_people_waiting(stores)
    await call_people(stores)
    async with open_hub(stores, valkey_url, push_intervals=FRONT_ONLY) as (hub, _):
        recorders = await subscribe_queue(hub, concert, *PEOPLE)
        await rooms.reset(organizer(stores), concert.id, RoomSettingsPatch(), key())
        ended = recorders[2:]
        await wait_until(lambda: {one.state_and_position()[0] for one in ended} == {EntryState.EXPIRED}, what="the end")
        assert {one.entry().end_reason for one in ended} == {EntryEnd.RESET}
        assert {one.state_and_position()[0] for one in recorders[:2]} == {EntryState.READY}
        await queues.join_queue(context(stores, PEOPLE[29]), concert.id)
        again = recorders[29]
        await wait_until(lambda: again.state_and_position() == (EntryState.WAITING, 1), what="the new entry")
        assert again.entry().number == 1


async def test_numbers_are_pushed_immediately_when_a_lottery_opens(stores: Stores, valkey_url: str) -> None:
    concert = await with_lottery(stores)
    await register(stores, concert, PEOPLE)
    async with open_hub(stores, valkey_url, push_intervals=FRONT_ONLY) as (hub, _):
        recorders = await subscribe_queue(hub, concert, *PEOPLE)
        assert {one.state_and_position() for one in recorders} == {(EntryState.PREQUEUED, None)}
        assert await OpeningWorker().run_once(stores) == 1
        await wait_until(
            lambda: sorted(one.entry().number or 0 for one in recorders) == list(range(1, 31)),
            what="the numbers",
        )
        assert {one.entry().state for one in recorders} == {EntryState.WAITING}
        for one in recorders:
            check_rising(one)


async def test_scheduled_opening_is_pushed(stores: Stores, valkey_url: str) -> None:
    """An opening at its scheduled time writes nothing, so no version increases."""
    concert = await with_people_waiting(stores, opens_at=datetime.now(UTC) + timedelta(hours=1))
    async with open_hub(stores, valkey_url, push_intervals=FRONT_ONLY) as (hub, _):
        recorders = await subscribe_queue(hub, concert, *PEOPLE)
        assert {one.entry().state for one in recorders} == {EntryState.PREQUEUED}
        assert sorted(one.state_and_position()[1] or 0 for one in recorders) == list(range(1, 31))
        version = recorders[0].queue().room.version
        await advance_clock(stores, concert, 3_600_000)
        await wait_until(
            lambda: {one.state_and_position()[0] for one in recorders} == {EntryState.WAITING}, what="the opening"
        )
        assert {one.queue().room.status for one in recorders} == {RoomStatus.OPEN}
        assert {one.queue().room.version for one in recorders} == {version}


async def test_grace_period_is_pushed_to_people_with_a_deadline(stores: Stores, valkey_url: str) -> None:
    concert = await with_people_waiting(stores)
    await call_people(stores)
    async with open_hub(stores, valkey_url, push_intervals=FRONT_ONLY) as (hub, _):
        called, waiting = await subscribe_queue(hub, concert, PEOPLE[0], PEOPLE[29])
        held = await _subscribe_with_hold(stores, hub, concert, PEOPLE[1])
        before, held_before = called.entry().expires_at, _hold(held).expires_at
        assert before is not None
        # The workers appear to have been down for an hour, so the next run grants a grace period.
        await advance_clock(stores, concert, 3_600_000)
        await ExpiryWorker().run_once(stores)
        await wait_until(lambda: (called.entry().expires_at or before) > before, what="the grace period")
        await wait_until(lambda: _hold(held).expires_at > held_before, what="the grace period of the hold")
        assert len(waiting.snapshots) == 1


async def _subscribe_with_hold(stores: Stores, hub: Hub, concert: Concert, who: PersonId) -> SnapshotRecorder:
    """Claim the pass of a called person, hold a ticket and subscribe to the hold."""
    claimed = await queues.claim_pass(context(stores, who), concert.id)
    assert claimed.queue_pass is not None
    await holds.hold_tickets(context(stores, who), concert.id, lines(concert, 1), key(), claimed.queue_pass.token)
    return await subscribe(hub, HoldsTopic(concert.id, who))


def _hold(seen: SnapshotRecorder) -> Hold:
    assert isinstance(seen.last, Hold)
    return seen.last


@pytest.mark.parametrize("kept_of_three", [0, 1])
async def test_latest_entries_arrive_even_if_hints_are_lost(
    stores: Stores, valkey_url: str, monkeypatch: pytest.MonkeyPatch, kept_of_three: int
) -> None:
    concert = await with_people_waiting(stores)
    hint_numbers = count()
    async with open_hub(stores, valkey_url) as (hub, feed):
        lose_hints(monkeypatch, feed, is_kept=lambda: next(hint_numbers) % 3 < kept_of_three)
        recorders = await subscribe_queue(hub, concert, *PEOPLE)
        for who in PEOPLE[5:15]:
            await queues.leave_queue(context(stores, who), concert.id)
        await call_people(stores)
        expected = (
            [EntryState.READY] * 2 + [EntryState.WAITING] * 3 + [EntryState.LEFT] * 10 + [EntryState.WAITING] * 15
        )
        await wait_until(
            lambda: [one.state_and_position()[0] for one in recorders] == expected, what="the latest state"
        )
        assert [one.state_and_position()[1] for one in recorders[15:]] == list(range(4, 19))
        for one in recorders:
            check_rising(one)


async def test_entry_and_pass_survive_a_lost_connection(stores: Stores, valkey_url: str) -> None:
    concert = await with_people_waiting(stores)
    await call_people(stores)
    await queues.claim_pass(context(stores, PEOPLE[0]), concert.id)
    waiting = PEOPLE[2:]
    async with open_hub(stores, valkey_url) as (hub, _):
        tasks = asyncio.all_tasks()
        before = [SnapshotRecorder(QueueTopic(concert.id, person_id)) for person_id in PEOPLE]
        subscriptions = await asyncio.gather(*[hub.subscribe(one, one.deliver) for one in before])
        await wait_until(partial(_are_present, stores, concert, waiting), what="the connections")
        for subscription in subscriptions:
            subscription.close()
        await wait_until(lambda: asyncio.all_tasks() <= tasks, what="the end of the publisher")
        assert not await _are_present(stores, concert, waiting)
        after = await subscribe_queue(hub, concert, *PEOPLE)
        assert {len(one.snapshots) for one in after} == {1}
        for old, new in zip(before, after, strict=True):
            assert (new.state_and_position(), new.entry().number, new.entry().entry_id) == (
                old.state_and_position(),
                old.entry().number,
                old.entry().entry_id,
            )
        assert after[0].state_and_position()[0] is EntryState.ADMITTED
        assert after[0].entry().queue_pass == before[0].entry().queue_pass


async def _are_present(stores: Stores, concert: Concert, people: Sequence[PersonId]) -> bool:
    """Return whether all these waiting people are connected and therefore have no deadline."""
    found = await stores.queues.read_entries(concert.id, people)
    return all(found[person_id].deadline is None for person_id in people)
