"""The queue on each kind of store: one entry per person, limits, no-shows, passes and presence."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from auth.passes import PassSigner
from domain.errors import Admission, HoldEnded, NotAdmitted, NotInQueue, PurchaseInProgress, RoomNotOpen
from domain.holds import EndReason, HoldState
from domain.ids import PersonId
from domain.queues import EntryState, PassStatus
from resolvers import concerts, holds, queues, rooms
from storage.connect import Stores
from storage.hot.queues import LeaseExpired
from tests.support.hot_keys import concert_key, make_due
from tests.support.queue_steps import admit, hold_with_pass, join, make_people, states, viewer_entry, with_room
from tests.support.sale import buy, check_invariants, context, draft, key, lines, on_sale, organizer, stock
from workers.admission import AdmissionWorker
from workers.expiry import ExpiryWorker


async def test_a_person_has_one_entry(any_stores: Stores) -> None:
    concert = await with_room(any_stores, 10)
    first, second = [await queues.join_queue(context(any_stores, who), concert.id) for who in ("ann", "ben")]
    twins = await asyncio.gather(*[queues.join_queue(context(any_stores, "cyd"), concert.id) for _ in range(10)])
    assert [first.number, second.number, {twin.number for twin in twins}] == [1, 2, {3}]
    assert [first.position, second.position] == [1, 2]
    again = await queues.join_queue(context(any_stores, "ann"), concert.id)
    assert again == await viewer_entry(any_stores, concert, "ann")
    room = await rooms.get_waiting_room(context(any_stores), concert.id)
    assert room is not None
    assert (room.serving_number, room.tail, room.waiting_count, room.slots_taken) == (0, 3, 3, 0)
    await queues.leave_queue(context(any_stores, "ann"), concert.id)
    assert [(await viewer_entry(any_stores, concert, who)).position for who in ("ben", "cyd")] == [1, 2]
    again = await queues.join_queue(context(any_stores, "ann"), concert.id)
    assert (again.number, again.position) == (4, 3)


async def test_slots_limit_the_number_of_people_called(any_stores: Stores) -> None:
    concert = await with_room(any_stores, 10)
    await join(any_stores, concert, "ann", "ben", "cyd", "dan")
    assert [await admit(any_stores, concert), await admit(any_stores, concert)] == [2, 0]
    assert await states(any_stores, concert, "ann", "ben", "cyd") == [EntryState.READY, EntryState.READY, "WAITING"]
    claimed = await queues.claim_pass(context(any_stores, "ann"), concert.id)
    assert claimed.state is EntryState.ADMITTED
    assert await queues.claim_pass(context(any_stores, "ann"), concert.id) == claimed
    assert await admit(any_stores, concert) == 0
    # The script that frees the slot gives it to the next person; no worker is needed.
    await queues.leave_queue(context(any_stores, "ann"), concert.id)
    assert [(await viewer_entry(any_stores, concert, who)).position for who in ("cyd", "dan")] == [0, 1]
    assert await admit(any_stores, concert) == 0


async def test_calls_per_minute_are_limited(any_stores: Stores) -> None:
    concert = await with_room(any_stores, 10, total_active_users=100, new_users_per_minute=3)
    await join(any_stores, concert, *make_people(8))
    assert [await admit(any_stores, concert), await admit(any_stores, concert)] == [3, 0]
    admissions = concert_key(concert, "admissions")
    ((second, count),) = zip(
        *[iter(await any_stores.script_client.run_command("HGETALL", admissions))] * 2, strict=True
    )
    await any_stores.script_client.run_command("HDEL", admissions, second.decode())
    await any_stores.script_client.run_command("HSET", admissions, str(int(second) - 60), count.decode())
    assert await admit(any_stores, concert) == 0
    await any_stores.script_client.run_command("HDEL", admissions, str(int(second) - 60))
    await any_stores.script_client.run_command("HSET", admissions, str(int(second) - 62), count.decode())
    assert await admit(any_stores, concert) == 3


async def test_a_purchase_spends_the_pass_and_frees_the_slot(any_stores: Stores) -> None:
    concert = await with_room(any_stores, 10, total_active_users=1)
    await join(any_stores, concert, "ann", "ben")
    await admit(any_stores, concert)
    await queues.claim_pass(context(any_stores, "ann"), concert.id)
    made = await hold_with_pass(any_stores, concert, "ann", 2)
    other = await hold_with_pass(any_stores, concert, "ann")
    await buy(any_stores, made)
    assert await states(any_stores, concert, "ann", "ben") == [EntryState.COMPLETED, EntryState.READY]
    released = await any_stores.holds.get(concert.id, other.id)
    assert released is not None
    assert (released.state, released.reason) == (HoldState.ENDED, EndReason.PASS_SPENT)
    with pytest.raises(HoldEnded):
        await buy(any_stores, other)
    assert await admit(any_stores, concert) == 0
    assert await stock(any_stores, concert) == [(8, 0, 2)]
    ended = await viewer_entry(any_stores, concert, "ann")
    assert ended.queue_pass is not None
    assert (ended.queue_pass.status, ended.queue_pass.token) == (PassStatus.TRANSACTION_COMPLETE, None)
    await check_invariants(any_stores, concert)


async def test_a_hold_without_a_valid_pass_is_refused(any_stores: Stores) -> None:
    concert, elsewhere = await with_room(any_stores, 10), await with_room(any_stores, 10)
    await join(any_stores, concert, "ann", "ben", "cyd")
    await join(any_stores, elsewhere, "ann")
    for one in (concert, elsewhere):
        await admit(any_stores, one)
    valid = (await queues.claim_pass(context(any_stores, "ann"), concert.id)).queue_pass
    foreign = (await queues.claim_pass(context(any_stores, "ann"), elsewhere.id)).queue_pass
    assert valid is not None
    assert foreign is not None
    await queues.claim_pass(context(any_stores, "ben"), concert.id)
    for who, token, reason, position in [
        ("cyd", None, Admission.NOT_CALLED, 1),
        ("stranger", None, Admission.NO_PASS, None),
        ("ann", None, Admission.NO_PASS, None),
        ("ben", valid.token, Admission.BAD_PASS, None),
        ("ann", foreign.token, Admission.BAD_PASS, None),
        ("ann", "forged", Admission.BAD_PASS, None),
        ("ann", f"{valid.token}x", Admission.BAD_PASS, None),
    ]:
        with pytest.raises(NotAdmitted) as refusal:
            await holds.hold_tickets(context(any_stores, who), concert.id, lines(concert, 1), key(), token)
        assert (refusal.value.reason, refusal.value.position) == (reason, position), (who, token)
    assert await stock(any_stores, concert) == [(10, 0, 0)]
    made = await holds.hold_tickets(context(any_stores, "ann"), concert.id, lines(concert, 1), key(), valid.token)
    await buy(any_stores, made)
    with pytest.raises(NotAdmitted):
        await holds.hold_tickets(context(any_stores, "ann"), concert.id, lines(concert, 1), key(), valid.token)


async def test_only_one_hold_per_pass_can_be_bought_at_a_time(stores: Stores) -> None:
    concert = await with_room(stores, 10)
    await join(stores, concert, "ann")
    await admit(stores, concert)
    await queues.claim_pass(context(stores, "ann"), concert.id)
    one, other = [await hold_with_pass(stores, concert, "ann") for _ in range(2)]
    await stores.holds.begin_purchase(concert.id, one.id, person_id=one.person_id, purchase_key="k", digest="d")
    with pytest.raises(PurchaseInProgress):
        await buy(stores, other)
    await stores.order_sync.settle(concert.id, one.id)
    assert (await buy(stores, other)).units == other.units
    await check_invariants(stores, concert)


async def test_the_slot_of_a_no_show_goes_to_the_next_person(any_stores: Stores) -> None:
    concert = await with_room(any_stores, 10, total_active_users=1)
    await join(any_stores, concert, "ann", "ben", "cyd")
    await make_due(any_stores, concert, "presence_deadlines", "ann")
    assert await admit(any_stores, concert) == 1
    assert await states(any_stores, concert, "ann", "ben") == [EntryState.EXPIRED, EntryState.READY]
    await make_due(any_stores, concert, "slots", "ben")
    assert await admit(any_stores, concert) == 1
    assert await states(any_stores, concert, "ben", "cyd") == [EntryState.EXPIRED, EntryState.READY]
    with pytest.raises(NotInQueue):
        await queues.claim_pass(context(any_stores, "ben"), concert.id)


async def test_a_session_lasts_as_long_as_its_hold(any_stores: Stores) -> None:
    concert = await with_room(any_stores, 10, total_active_users=1)
    await join(any_stores, concert, "ann", "ben")
    await admit(any_stores, concert)
    await queues.claim_pass(context(any_stores, "ann"), concert.id)
    made = await hold_with_pass(any_stores, concert, "ann")
    await make_due(any_stores, concert, "slots", "ann")
    assert await admit(any_stores, concert) == 0
    assert await states(any_stores, concert, "ann") == [EntryState.ADMITTED]
    await holds.release_hold(context(any_stores, "ann"), concert.id, made.id)
    await make_due(any_stores, concert, "slots", "ann")
    assert await admit(any_stores, concert) == 1
    assert await states(any_stores, concert, "ann", "ben") == [EntryState.EXPIRED, EntryState.READY]


async def test_heartbeats_and_connections_keep_an_entry_alive(any_stores: Stores) -> None:
    concert = await with_room(any_stores, 10, total_active_users=1, heartbeat_timeout_ms=30_000)
    await join(any_stores, concert, "first", "ann", "ben")
    await admit(any_stores, concert)
    ann, ben = PersonId("ann"), PersonId("ben")
    await any_stores.queues.sync_presence(concert.id, "p1", [(ann, 1), (ben, 1)])
    assert (await viewer_entry(any_stores, concert, "ann")).expires_at is None
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    await any_stores.queues.sync_presence(concert.id, "p1", [(ann, -2)])
    await any_stores.queues.sync_presence(concert.id, "p1", [(ann, 1)])
    expiry = (await viewer_entry(any_stores, concert, "ann")).expires_at
    assert expiry is not None
    assert before <= expiry - timedelta(seconds=60) <= datetime.now(UTC)
    # A heartbeat never shortens the grace period.
    assert (await queues.heartbeat(context(any_stores, "ann"), concert.id)).expires_at == expiry
    with pytest.raises(NotInQueue):
        await queues.heartbeat(context(any_stores, "stranger"), concert.id)


async def test_a_heartbeat_deadline_can_outlast_a_later_connection(any_stores: Stores) -> None:
    concert = await with_room(
        any_stores, 10, total_active_users=1, heartbeat_timeout_ms=120_000, disconnect_grace_ms=10_000
    )
    await join(any_stores, concert, "first", "ann")
    await admit(any_stores, concert)
    expiry = (await viewer_entry(any_stores, concert, "ann")).expires_at
    await any_stores.queues.sync_presence(concert.id, "p1", [(PersonId("ann"), 1)])
    await any_stores.queues.sync_presence(concert.id, "p1", [(PersonId("ann"), -2)])
    assert (await viewer_entry(any_stores, concert, "ann")).expires_at == expiry


async def test_people_connected_to_a_crashed_process_get_a_grace_period(any_stores: Stores) -> None:
    concert = await with_room(any_stores, 10, total_active_users=1)
    await join(any_stores, concert, "first", "ann", "ben")
    await any_stores.queues.sync_presence(concert.id, "p1", [(PersonId("ann"), 1), (PersonId("ben"), 1)])
    await any_stores.queues.sync_presence(concert.id, "p2", [(PersonId("ben"), 1)])
    await make_due(any_stores, concert, "leases", "p1")
    with pytest.raises(LeaseExpired):
        await any_stores.queues.sync_presence(concert.id, "p1", [(PersonId("ann"), 2)])
    await admit(any_stores, concert)
    assert (await viewer_entry(any_stores, concert, "ann")).expires_at is not None
    assert (await viewer_entry(any_stores, concert, "ben")).expires_at is None
    await any_stores.queues.sync_presence(concert.id, "p1-again", [(PersonId("ann"), 1)])
    assert (await viewer_entry(any_stores, concert, "ann")).expires_at is None


async def test_a_room_that_is_off_or_closed_cannot_be_joined(stores: Stores) -> None:
    off = await on_sale(stores, 10)
    with pytest.raises(RoomNotOpen):
        await queues.join_queue(context(stores, "ann"), off.id)
    closed = await with_room(stores, 10)
    await join(stores, closed, "ann")
    await concerts.close_concert(organizer(stores), closed.id)
    with pytest.raises(RoomNotOpen):
        await queues.join_queue(context(stores, "ben"), closed.id)
    assert await admit(stores, closed) == 0
    made = await concerts.create_concert(organizer(stores), draft(5))
    assert await rooms.get_waiting_room(context(stores), made.id) is None


async def test_four_concurrent_workers_call_no_one_twice(any_stores: Stores) -> None:
    concert = await with_room(any_stores, 10, total_active_users=30)
    people = make_people(100)
    await asyncio.gather(*[queues.join_queue(context(any_stores, who), concert.id) for who in people])
    await ExpiryWorker().run_once(any_stores)
    called = await asyncio.gather(*[AdmissionWorker().run_once(any_stores) for _ in range(4)])
    assert sum(called) == 30
    found = Counter(await states(any_stores, concert, *people))
    assert found == {EntryState.READY: 30, EntryState.WAITING: 70}


async def test_a_pass_is_the_same_in_every_response(stores: Stores) -> None:
    concert = await with_room(stores, 10)
    await join(stores, concert, "ann")
    assert await admit(stores, concert) == 1
    claimed = await queues.claim_pass(context(stores, "ann"), concert.id)
    seen = await viewer_entry(stores, concert, "ann")
    assert isinstance(context(stores).passes, PassSigner)
    assert seen.queue_pass == claimed.queue_pass
    assert seen.queue_pass is not None
    assert seen.queue_pass.status is PassStatus.CREATED
