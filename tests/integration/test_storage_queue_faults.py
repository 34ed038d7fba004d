"""Regression tests for faults that a review found in the queue."""

from typing import Any

import pytest

from domain.concerts import Concert
from domain.errors import HoldEnded
from domain.ids import ConcertId, PersonId
from domain.queues import EntryState
from resolvers import holds, queues
from schema import Operation, execute, ids
from storage.connect import Stores
from storage.hot.queue_state import RoomState
from storage.hot.queues import LeaseExpired
from tests.support.hot_keys import advance_clock, make_due
from tests.support.queue_steps import admit, hold_with_pass, join, pass_of, pass_time, states, viewer_entry, with_room
from tests.support.sale import buy, check_invariants, context, hold, on_sale
from workers.admission import AdmissionWorker
from workers.expiry import ExpiryWorker

ANN = PersonId("ann")


async def with_ann_waiting(stores: Stores) -> Concert:
    concert = await with_room(stores, 10, total_active_users=1)
    await join(stores, concert, "first", "ann")
    await admit(stores, concert)
    await stores.queues.sync_presence(concert.id, "p1", [(ANN, 1)])
    return concert


async def test_connected_people_keep_their_entries_during_a_two_minute_outage(any_stores: Stores) -> None:
    concert = await with_ann_waiting(any_stores)
    await advance_clock(any_stores, concert, 120_000)
    await admit(any_stores, concert)
    assert (await viewer_entry(any_stores, concert, "ann")).expires_at is None
    await any_stores.queues.sync_presence(concert.id, "p1", is_known=True)
    await pass_time(any_stores, concert, 80, process="p1")
    assert await states(any_stores, concert, "ann") != [EntryState.EXPIRED]


async def test_a_process_with_an_expired_lease_gets_an_error(any_stores: Stores) -> None:
    concert = await with_ann_waiting(any_stores)
    await make_due(any_stores, concert, "leases", "p1")
    await admit(any_stores, concert)
    with pytest.raises(LeaseExpired):
        await any_stores.queues.sync_presence(concert.id, "p1", is_known=True)
    await any_stores.queues.sync_presence(concert.id, "p2", [(ANN, 2)])
    assert (await viewer_entry(any_stores, concert, "ann")).expires_at is None


async def test_releasing_an_old_hold_does_not_shorten_a_new_call(stores: Stores) -> None:
    concert = await with_room(stores, 10, total_active_users=1, session_duration_ms=60_000)
    await join(stores, concert, "ann")
    await admit(stores, concert)
    await queues.claim_pass(context(stores, "ann"), concert.id)
    old = await hold_with_pass(stores, concert, "ann")
    await queues.leave_queue(context(stores, "ann"), concert.id)
    await pass_time(stores, concert, 64)
    await join(stores, concert, "ann")
    assert await admit(stores, concert) == 1
    await holds.release_hold(context(stores, "ann"), concert.id, old.id)
    await admit(stores, concert)
    assert await states(stores, concert, "ann") == [EntryState.READY]


async def test_leaving_releases_the_holds_made_with_the_pass(any_stores: Stores) -> None:
    """Otherwise, two holds made with one pass could become two purchases."""
    concert = await with_room(any_stores, 10)
    await join(any_stores, concert, "ann")
    await admit(any_stores, concert)
    await queues.claim_pass(context(any_stores, "ann"), concert.id)
    made = [await hold_with_pass(any_stores, concert, "ann") for _ in range(2)]
    await queues.leave_queue(context(any_stores, "ann"), concert.id)
    for one in made:
        with pytest.raises(HoldEnded):
            await buy(any_stores, one)
    await check_invariants(any_stores, concert)


async def test_a_grace_period_does_not_change_the_bytes_of_a_pass(stores: Stores) -> None:
    concert = await with_room(stores, 10)
    await join(stores, concert, "ann")
    await admit(stores, concert)
    token = await pass_of(stores, concert, "ann")
    await advance_clock(stores, concert, 280_000)
    await ExpiryWorker().run_once(stores)
    seen = await viewer_entry(stores, concert, "ann")
    assert seen.queue_pass is not None
    assert seen.queue_pass.token == token


async def test_a_person_whose_presence_has_expired_is_not_called(stores: Stores) -> None:
    concert = await with_room(stores, 10, total_active_users=1)
    await join(stores, concert, "ann", "ben", "cyd")
    await ExpiryWorker().run_once(stores)
    await make_due(stores, concert, "presence_deadlines", "ann", "ben")
    for _ in range(4):
        await stores.hot_state.run_admission(concert.id, bound=1)
    assert await states(stores, concert, "ann", "ben", "cyd") == [
        EntryState.EXPIRED,
        EntryState.EXPIRED,
        EntryState.READY,
    ]


async def test_state_and_position_come_from_the_same_read(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call between the two reads must not show a waiting person at position 0."""
    concert = await with_room(stores, 10)
    await join(stores, concert, "ann")
    await ExpiryWorker().run_once(stores)
    read = stores.queues.read_room

    async def after_a_call(concert_id: ConcertId) -> RoomState:
        await AdmissionWorker().run_once(stores)
        return await read(concert_id)

    monkeypatch.setattr(stores.queues, "read_room", after_a_call)
    document = "query ($id: ID!) { queueEntry(concertId: $id) { estimatedWait { p50Seconds } state position } }"
    operation = Operation(document, {"id": ids.of_concert(concert.id)}, None)
    for state, position in (("WAITING", 1), ("READY", 0)):
        answer: Any = (await execute(operation, context(stores, "ann"))).payload["data"]
        assert (answer["queueEntry"]["state"], answer["queueEntry"]["position"]) == (state, position)


async def test_beginning_a_purchase_is_recorded_as_a_change_for_the_buyer(stores: Stores) -> None:
    concert = await on_sale(stores, 10)
    made = await hold(stores, concert, 1)
    before = (await stores.queues.read_queue(concert.id)).version
    await stores.holds.begin_purchase(concert.id, made.id, person_id=made.person_id, purchase_key="k", digest="d")
    changes = (await stores.snapshots.read(concert.id, after=before)).changes
    assert changes.people == (made.person_id,)
