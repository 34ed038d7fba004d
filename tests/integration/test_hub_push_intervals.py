"""Who is shown what when: near the front every move, far behind as the band allows, one's own news at once."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

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
from storage.keys import KINDS, concert_keys, hints_channel
from subscriptions.hub import Hub
from subscriptions.publishing.push_intervals import PushIntervals
from tests.support.hub_recorder import ROOM, SnapshotRecorder, check_rising, open_hub, subscribe
from tests.support.lottery import with_lottery
from tests.support.queue_steps import join_all as register
from tests.support.queue_steps import make_people
from tests.support.sale import context, key, lines, on_sale, organizer
from tests.support.waiting import wait_until
from workers.admission import AdmissionWorker
from workers.expiry import ExpiryWorker
from workers.opening import OpeningWorker

PEOPLE = make_people(30)
NEVER = PushIntervals(((2, 0.0),), 1_000.0)
"""Whoever stands behind the second place sees what concerns themselves, or everybody, and nothing else."""
AT_ONCE_S = 30.0
"""Far less than the 1,000 seconds of NEVER, on the busiest machine."""


async def in_line(stores: Stores, **settings: object) -> Concert:
    concert = await on_sale(stores, 10, room=replace(ROOM, **settings))  # type: ignore[arg-type]
    await register(stores, concert, PEOPLE)
    return concert


async def subscribe_queue(hub: Hub, concert: Concert, *people: PersonId) -> list[SnapshotRecorder]:
    return list(await asyncio.gather(*[subscribe(hub, QueueTopic(concert.id, person_id)) for person_id in people]))


async def configure(stores: Stores, concert: Concert, **settings: object) -> None:
    change = RoomSettingsPatch(tuple(settings.items()))  # type: ignore[arg-type]
    await rooms.configure(organizer(stores), concert.id, change, expected_version=None)


async def call(stores: Stores) -> None:
    await ExpiryWorker().run_once(stores)
    await AdmissionWorker().run_once(stores)


async def test_moves_are_shown_within_the_band_and_the_last_state_always_arrives(
    stores: Stores, valkey_url: str
) -> None:
    concert = await in_line(stores)
    async with open_hub(stores, valkey_url, push_intervals=PushIntervals(((3, 0.0),), 0.8)) as (hub, _):
        near, far = await subscribe_queue(hub, concert, PEOPLE[0], PEOPLE[29])
        began_s = time.monotonic()
        for gone, who in enumerate(PEOPLE[5:25], start=1):
            await queues.leave_queue(context(stores, who), concert.id)
            await wait_until(partial(_sees_waiting, near, 30 - gone), what="the move")
        took_s = time.monotonic() - began_s
        assert len(near.snapshots) == 21
        assert len(far.snapshots) <= 1 + took_s / 0.4
        await wait_until(lambda: far.place() == (EntryState.WAITING, 10), what="the last state")
        check_rising(near)
        check_rising(far)


def _sees_waiting(seen: SnapshotRecorder, count: int) -> bool:
    return seen.line().room.waiting_count == count


async def test_ones_own_news_is_shown_at_once_whatever_the_band(stores: Stores, valkey_url: str) -> None:
    concert = await in_line(stores)
    async with open_hub(stores, valkey_url, push_intervals=NEVER) as (hub, _):
        called, left, bystander = await subscribe_queue(hub, concert, PEOPLE[1], PEOPLE[20], PEOPLE[29])
        await queues.leave_queue(context(stores, PEOPLE[20]), concert.id)
        await wait_until(lambda: left.place()[0] is EntryState.LEFT, timeout=AT_ONCE_S, what="the end")
        assert left.entry().end_reason is EntryEnd.LEFT
        await call(stores)
        await wait_until(lambda: called.place() == (EntryState.READY, 0), timeout=AT_ONCE_S, what="the call")
        await queues.claim_pass(context(stores, PEOPLE[1]), concert.id)
        await wait_until(lambda: called.place()[0] is EntryState.ADMITTED, timeout=AT_ONCE_S, what="the pass")
        assert bystander.place() == (EntryState.WAITING, 30)
        assert len(bystander.snapshots) == 1


async def test_what_is_said_to_everybody_is_shown_at_once(stores: Stores, valkey_url: str) -> None:
    concert = await in_line(stores)
    async with open_hub(stores, valkey_url, push_intervals=NEVER) as (hub, _):
        everybody = await subscribe_queue(hub, concert, *PEOPLE)

        async def hear(what: str, told: set[object]) -> None:
            def heard() -> bool:
                rooms_seen = [one.line().room for one in everybody]
                return {room.settings.message if what == "message" else room.status for room in rooms_seen} == told

            await wait_until(heard, timeout=AT_ONCE_S, what=what)

        await configure(stores, concert, message="Doors open late")
        await hear("message", {"Doors open late"})
        await rooms.pause(organizer(stores), concert.id)
        await hear("status", {RoomStatus.PAUSED})


async def test_that_nothing_will_be_left_is_shown_at_once_and_taken_back(stores: Stores, valkey_url: str) -> None:
    concert = await in_line(stores)
    async with open_hub(stores, valkey_url, push_intervals=NEVER) as (hub, _):
        far = (await subscribe_queue(hub, concert, PEOPLE[29]))[0]
        assert far.line().stock_ahead is StockAhead.AVAILABLE
        await call(stores)
        buyer = context(stores, PEOPLE[0])
        claimed = await queues.claim_pass(buyer, concert.id)
        assert claimed.queue_pass is not None
        held = await holds.hold_tickets(buyer, concert.id, lines(concert, 10), key(), claimed.queue_pass.token)
        await wait_until(lambda: far.line().stock_ahead is StockAhead.SOLD_OUT, timeout=AT_ONCE_S, what="sold out")
        await holds.release_hold(buyer, concert.id, held.id)
        await wait_until(lambda: far.line().stock_ahead is StockAhead.AVAILABLE, timeout=AT_ONCE_S, what="the rest")
        assert len(far.snapshots) == 3


async def test_an_emptied_line_is_told_to_everybody_and_takes_them_in_again(stores: Stores, valkey_url: str) -> None:
    concert = await in_line(stores)
    await call(stores)
    async with open_hub(stores, valkey_url, push_intervals=NEVER) as (hub, _):
        everybody = await subscribe_queue(hub, concert, *PEOPLE)
        await rooms.reset(organizer(stores), concert.id, RoomSettingsPatch(), key())
        ended = everybody[2:]
        await wait_until(
            lambda: {one.place()[0] for one in ended} == {EntryState.EXPIRED}, timeout=AT_ONCE_S, what="the end"
        )
        assert {one.entry().end_reason for one in ended} == {EntryEnd.RESET}
        assert {one.place()[0] for one in everybody[:2]} == {EntryState.READY}
        await queues.join_queue(context(stores, PEOPLE[29]), concert.id)
        again = everybody[29]
        await wait_until(lambda: again.place() == (EntryState.WAITING, 1), timeout=AT_ONCE_S, what="the new place")
        assert again.entry().number == 1


async def test_at_the_opening_of_a_lottery_everybodys_number_appears_at_once(stores: Stores, valkey_url: str) -> None:
    concert = await with_lottery(stores)
    await register(stores, concert, PEOPLE)
    async with open_hub(stores, valkey_url, push_intervals=NEVER) as (hub, _):
        everybody = await subscribe_queue(hub, concert, *PEOPLE)
        assert {one.place() for one in everybody} == {(EntryState.PREQUEUED, None)}
        assert await OpeningWorker().run_once(stores) == 1
        await wait_until(
            lambda: sorted(one.entry().number or 0 for one in everybody) == list(range(1, 31)),
            timeout=AT_ONCE_S,
            what="the numbers",
        )
        assert {one.entry().state for one in everybody} == {EntryState.WAITING}
        for one in everybody:
            check_rising(one)


async def test_a_line_that_opens_by_the_clock_is_shown_to_open(stores: Stores, valkey_url: str) -> None:
    """Nothing is written, so no version rises."""
    concert = await in_line(stores, opens_at=datetime.now(UTC) + timedelta(hours=1))
    async with open_hub(stores, valkey_url, push_intervals=NEVER) as (hub, _):
        everybody = await subscribe_queue(hub, concert, *PEOPLE)
        assert {one.entry().state for one in everybody} == {EntryState.PREQUEUED}
        assert sorted(one.place()[1] or 0 for one in everybody) == list(range(1, 31))
        version = everybody[0].line().room.version
        state = concert_keys(concert.id)[KINDS.index("state")]
        await stores.script_client.run_command("HINCRBY", state, "now_ms", "3600000")
        await wait_until(
            lambda: {one.place()[0] for one in everybody} == {EntryState.WAITING}, timeout=AT_ONCE_S, what="the opening"
        )
        assert {one.line().room.status for one in everybody} == {RoomStatus.OPEN}
        assert {one.line().room.version for one in everybody} == {version}


async def test_a_grace_is_shown_to_those_who_have_a_deadline(stores: Stores, valkey_url: str) -> None:
    concert = await in_line(stores)
    await call(stores)
    async with open_hub(stores, valkey_url, push_intervals=NEVER) as (hub, _):
        called, waiting = await subscribe_queue(hub, concert, PEOPLE[0], PEOPLE[29])
        held = await _watch_hold(stores, hub, concert, PEOPLE[1])
        before, held_before = called.entry().expires_at, _hold(held).expires_at
        assert before is not None
        state = concert_keys(concert.id)[KINDS.index("state")]
        # As if no worker had looked for an hour: its next run grants what a lost connection gets.
        await stores.script_client.run_command("HINCRBY", state, "now_ms", "3600000")
        await ExpiryWorker().run_once(stores)
        await wait_until(lambda: (called.entry().expires_at or before) > before, timeout=AT_ONCE_S, what="the grace")
        await wait_until(lambda: _hold(held).expires_at > held_before, timeout=AT_ONCE_S, what="the grace of a hold")
        assert len(waiting.snapshots) == 1


async def _watch_hold(stores: Stores, hub: Hub, concert: Concert, who: PersonId) -> SnapshotRecorder:
    """Of somebody who was called."""
    claimed = await queues.claim_pass(context(stores, who), concert.id)
    assert claimed.queue_pass is not None
    await holds.hold_tickets(context(stores, who), concert.id, lines(concert, 1), key(), claimed.queue_pass.token)
    return await subscribe(hub, HoldsTopic(concert.id, who))


def _hold(seen: SnapshotRecorder) -> Hold:
    assert isinstance(seen.last, Hold)
    return seen.last


@pytest.mark.parametrize("chance", [0.0, 0.3])
async def test_whatever_happens_to_hints_everybody_ends_at_the_newest_state(
    stores: Stores, valkey_url: str, chance: float
) -> None:
    """All of them lost, and most of them."""
    concert = await in_line(stores)
    heard: list[str] = []
    async with open_hub(stores, valkey_url) as (hub, feed):
        everybody = await subscribe_queue(hub, concert, *PEOPLE)
        channel, (watching,) = hints_channel(concert.id), hub._concerts.values()
        await feed.stop_listening(channel)

        def hear(message: str) -> None:
            heard.append(message)
            if chance and len(heard) % 3 == 0:
                watching.on_hint(message)

        feed.listen(channel, hear)
        for who in PEOPLE[5:15]:
            await queues.leave_queue(context(stores, who), concert.id)
        await call(stores)
        expected = (
            [EntryState.READY] * 2 + [EntryState.WAITING] * 3 + [EntryState.LEFT] * 10 + [EntryState.WAITING] * 15
        )
        await wait_until(lambda: [one.place()[0] for one in everybody] == expected, what="the newest state")
        assert [one.place()[1] for one in everybody[15:]] == list(range(4, 19))
        for one in everybody:
            check_rising(one)


async def test_everybody_loses_their_socket_at_once_and_finds_their_place_and_pass(
    stores: Stores, valkey_url: str
) -> None:
    concert = await in_line(stores)
    await call(stores)
    await queues.claim_pass(context(stores, PEOPLE[0]), concert.id)
    async with open_hub(stores, valkey_url) as (hub, _):
        before = [SnapshotRecorder(QueueTopic(concert.id, person_id)) for person_id in PEOPLE]
        watches = await asyncio.gather(*[hub.subscribe(one, one.deliver) for one in before])
        await wait_until(lambda: hub._concerts[concert.id]._presence.is_synced, what="the attachments")
        for watching in watches:
            watching.close()
        await wait_until(lambda: not hub._concerts, what="the detachments")
        after = await subscribe_queue(hub, concert, *PEOPLE)
        assert {len(one.snapshots) for one in after} == {1}
        for old, new in zip(before, after, strict=True):
            assert (new.place(), new.entry().number, new.entry().entry_id) == (
                old.place(),
                old.entry().number,
                old.entry().entry_id,
            )
        assert after[0].place()[0] is EntryState.ADMITTED
        assert after[0].entry().queue_pass == before[0].entry().queue_pass
