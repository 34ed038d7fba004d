"""The line on every kind of store: one place a person, both caps, no-shows, passes, and who is still there."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from auth.passes import PassSigner
from domain.concerts import Concert
from domain.errors import (
    Admission,
    HoldEnded,
    NotAdmitted,
    NotInQueue,
    PurchaseInProgress,
    RateLimited,
    RoomNotOpen,
)
from domain.holds import EndReason, Hold, HoldState
from domain.ids import PersonId
from domain.queues import EntryState, PassStatus, QueueEntry, RoomSettings
from resolvers import concerts, holds, queues, rooms
from storage.connect import Stores
from storage.hot.queues import LeaseExpired
from storage.keys import KINDS, concert_keys
from tests.support.sale import (
    buy,
    check_invariants,
    context,
    draft,
    key,
    lines,
    on_sale,
    organizer,
    stock,
)
from tests.support.waiting import wait_until
from workers.admission import AdmissionWorker
from workers.expiry import ExpiryWorker

ROOM = RoomSettings(suspended=False, total_active_users=2, new_users_per_minute=1_000)


async def with_room(stores: Stores, *capacities: int, **changes: Any) -> Concert:
    room = RoomSettings(**{**{f: getattr(ROOM, f) for f in ROOM.__slots__}, **changes})
    return await on_sale(stores, *capacities, room=room)


async def join(stores: Stores, concert: Concert, *people: str) -> list[QueueEntry]:
    return [await queues.join_queue(context(stores, who), concert.id) for who in people]


async def entry(stores: Stores, concert: Concert, who: str) -> QueueEntry:
    found = await queues.get_viewer_entry(context(stores, who), concert.id)
    assert found is not None
    return found


async def states(stores: Stores, concert: Concert, *people: str) -> list[EntryState]:
    return [(await entry(stores, concert, who)).state for who in people]


async def admit(stores: Stores) -> int:
    """A whole turn of the workers."""
    await ExpiryWorker().run_once(stores)
    return await AdmissionWorker().run_once(stores)


async def make_due(stores: Stores, concert: Concert, kind: str, who: str) -> None:
    """As if a deadline had passed: in the order of deadlines, and in the person's entry."""
    await stores.script_client.run_command("ZADD", concert_keys(concert.id)[KINDS.index(kind)], "XX", "1", who)


async def hold_with_pass(stores: Stores, concert: Concert, who: str, *quantities: int) -> Hold:
    shown = (await entry(stores, concert, who)).queue_pass
    assert shown is not None
    asked = lines(concert, *quantities)
    return await holds.hold_tickets(context(stores, who), concert.id, asked, key(), shown.token)


async def test_a_person_has_one_place(any_stores: Stores) -> None:
    concert = await with_room(any_stores, 10)
    first, second = await join(any_stores, concert, "ann", "ben")
    twins = await asyncio.gather(*[queues.join_queue(context(any_stores, "cyd"), concert.id) for _ in range(10)])
    assert [first.number, second.number, {twin.number for twin in twins}] == [1, 2, {3}]
    assert [first.position, second.position] == [1, 2]
    assert await join(any_stores, concert, "ann") == [await entry(any_stores, concert, "ann")]
    room = await rooms.get_waiting_room(context(any_stores), concert.id)
    assert room is not None
    assert (room.serving_number, room.tail, room.waiting_count, room.slots_taken) == (0, 3, 3, 0)
    await queues.leave_queue(context(any_stores, "ann"), concert.id)
    assert [(await entry(any_stores, concert, who)).position for who in ("ben", "cyd")] == [1, 2]
    (again,) = await join(any_stores, concert, "ann")
    assert (again.number, again.position) == (4, 3)


async def test_slots_are_a_cap(any_stores: Stores) -> None:
    concert = await with_room(any_stores, 10)
    await join(any_stores, concert, "ann", "ben", "cyd", "dan")
    assert [await admit(any_stores), await admit(any_stores)] == [2, 0]
    assert await states(any_stores, concert, "ann", "ben", "cyd") == [EntryState.READY, EntryState.READY, "WAITING"]
    claimed = await queues.claim_pass(context(any_stores, "ann"), concert.id)
    assert claimed.state is EntryState.ADMITTED
    assert await queues.claim_pass(context(any_stores, "ann"), concert.id) == claimed
    assert await admit(any_stores) == 0
    # The slot goes on in the step that frees it, without a worker.
    await queues.leave_queue(context(any_stores, "ann"), concert.id)
    assert [(await entry(any_stores, concert, who)).position for who in ("cyd", "dan")] == [0, 1]
    assert await admit(any_stores) == 0


async def test_the_minute_is_a_cap(any_stores: Stores) -> None:
    concert = await with_room(any_stores, 10, total_active_users=100, new_users_per_minute=3)
    await join(any_stores, concert, *[f"p{number}" for number in range(8)])
    assert [await admit(any_stores), await admit(any_stores)] == [3, 0]
    admissions = concert_keys(concert.id)[KINDS.index("admissions")]
    ((second, count),) = zip(
        *[iter(await any_stores.script_client.run_command("HGETALL", admissions))] * 2, strict=True
    )
    await any_stores.script_client.run_command("HDEL", admissions, second.decode())
    await any_stores.script_client.run_command("HSET", admissions, str(int(second) - 60), count.decode())
    assert await admit(any_stores) == 0
    await any_stores.script_client.run_command("HDEL", admissions, str(int(second) - 60))
    await any_stores.script_client.run_command("HSET", admissions, str(int(second) - 62), count.decode())
    assert await admit(any_stores) == 3


async def test_a_purchase_spends_the_pass_and_frees_the_slot(any_stores: Stores) -> None:
    concert = await with_room(any_stores, 10, total_active_users=1)
    await join(any_stores, concert, "ann", "ben")
    await admit(any_stores)
    await queues.claim_pass(context(any_stores, "ann"), concert.id)
    made, other = (
        await hold_with_pass(any_stores, concert, "ann", 2),
        await hold_with_pass(any_stores, concert, "ann", 1),
    )
    await buy(any_stores, made)
    assert await states(any_stores, concert, "ann", "ben") == [EntryState.COMPLETED, EntryState.READY]
    released = await any_stores.holds.get(concert.id, other.id)
    assert released is not None
    assert (released.state, released.reason) == (HoldState.ENDED, EndReason.PASS_SPENT)
    with pytest.raises(HoldEnded):
        await buy(any_stores, other)
    assert await admit(any_stores) == 0
    assert await stock(any_stores, concert) == [(8, 0, 2)]
    ended = await entry(any_stores, concert, "ann")
    assert ended.queue_pass is not None
    assert (ended.queue_pass.status, ended.queue_pass.token) == (PassStatus.TRANSACTION_COMPLETE, None)
    await check_invariants(any_stores, concert)


async def test_without_a_good_pass_nothing_is_held(any_stores: Stores) -> None:
    concert, elsewhere = await with_room(any_stores, 10), await with_room(any_stores, 10)
    await join(any_stores, concert, "ann", "ben", "cyd")
    await join(any_stores, elsewhere, "ann")
    await admit(any_stores)
    good = (await queues.claim_pass(context(any_stores, "ann"), concert.id)).queue_pass
    foreign = (await queues.claim_pass(context(any_stores, "ann"), elsewhere.id)).queue_pass
    assert good is not None
    assert foreign is not None
    await queues.claim_pass(context(any_stores, "ben"), concert.id)
    for who, token, reason, position in [
        ("cyd", None, Admission.NOT_CALLED, 1),
        ("nobody", None, Admission.NO_PASS, None),
        ("ann", None, Admission.NO_PASS, None),
        ("ben", good.token, Admission.BAD_PASS, None),
        ("ann", foreign.token, Admission.BAD_PASS, None),
        ("ann", "forged", Admission.BAD_PASS, None),
        ("ann", f"{good.token}x", Admission.BAD_PASS, None),
    ]:
        with pytest.raises(NotAdmitted) as refusal:
            await holds.hold_tickets(context(any_stores, who), concert.id, lines(concert, 1), key(), token)
        assert (refusal.value.reason, refusal.value.position) == (reason, position), (who, token)
    assert await stock(any_stores, concert) == [(10, 0, 0)]
    made = await holds.hold_tickets(context(any_stores, "ann"), concert.id, lines(concert, 1), key(), good.token)
    await buy(any_stores, made)
    with pytest.raises(NotAdmitted):
        await holds.hold_tickets(context(any_stores, "ann"), concert.id, lines(concert, 1), key(), good.token)


async def test_two_holds_of_one_pass_are_not_bought_at_once(stores: Stores) -> None:
    concert = await with_room(stores, 10)
    await join(stores, concert, "ann")
    await admit(stores)
    await queues.claim_pass(context(stores, "ann"), concert.id)
    one, other = await hold_with_pass(stores, concert, "ann", 1), await hold_with_pass(stores, concert, "ann", 1)
    await stores.holds.begin_purchase(concert.id, one.id, person_id=one.person_id, purchase_key="k", digest="d")
    with pytest.raises(PurchaseInProgress):
        await buy(stores, other)
    await stores.order_sync.settle(concert.id, one.id)
    assert (await buy(stores, other)).units == other.units
    await check_invariants(stores, concert)


async def test_no_shows_are_skipped_and_their_slot_goes_on(any_stores: Stores) -> None:
    concert = await with_room(any_stores, 10, total_active_users=1)
    await join(any_stores, concert, "ann", "ben", "cyd")
    await make_due(any_stores, concert, "presence_deadlines", "ann")
    assert await admit(any_stores) == 1
    assert await states(any_stores, concert, "ann", "ben") == [EntryState.EXPIRED, EntryState.READY]
    await make_due(any_stores, concert, "slots", "ben")
    assert await admit(any_stores) == 1
    assert await states(any_stores, concert, "ben", "cyd") == [EntryState.EXPIRED, EntryState.READY]
    with pytest.raises(NotInQueue):
        await queues.claim_pass(context(any_stores, "ben"), concert.id)


async def test_a_session_lasts_as_long_as_its_hold(any_stores: Stores) -> None:
    concert = await with_room(any_stores, 10, total_active_users=1)
    await join(any_stores, concert, "ann", "ben")
    await admit(any_stores)
    await queues.claim_pass(context(any_stores, "ann"), concert.id)
    made = await hold_with_pass(any_stores, concert, "ann", 1)
    await make_due(any_stores, concert, "slots", "ann")
    assert await admit(any_stores) == 0
    assert await states(any_stores, concert, "ann") == [EntryState.ADMITTED]
    await holds.release_hold(context(any_stores, "ann"), concert.id, made.id)
    await make_due(any_stores, concert, "slots", "ann")
    assert await admit(any_stores) == 1
    assert await states(any_stores, concert, "ann", "ben") == [EntryState.EXPIRED, EntryState.READY]


async def test_heartbeats_and_sockets_keep_a_place(any_stores: Stores) -> None:
    concert = await with_room(any_stores, 10, total_active_users=1, heartbeat_timeout_ms=30_000)
    await join(any_stores, concert, "first", "ann", "ben")
    await admit(any_stores)
    ann, ben = PersonId("ann"), PersonId("ben")
    await any_stores.queues.sync_presence(concert.id, "p1", [(ann, 1), (ben, 1)])
    assert (await entry(any_stores, concert, "ann")).expires_at is None
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    await any_stores.queues.sync_presence(concert.id, "p1", [(ann, -2)])
    await any_stores.queues.sync_presence(concert.id, "p1", [(ann, 1)])
    left = (await entry(any_stores, concert, "ann")).expires_at
    assert left is not None
    assert before <= left - timedelta(seconds=60) <= datetime.now(UTC)
    beaten = await queues.heartbeat(context(any_stores, "ann"), concert.id)
    assert beaten.expires_at == left
    with pytest.raises(NotInQueue):
        await queues.heartbeat(context(any_stores, "nobody"), concert.id)


async def test_what_was_said_before_a_socket_came_outlasts_it(any_stores: Stores) -> None:
    concert = await with_room(
        any_stores, 10, total_active_users=1, heartbeat_timeout_ms=120_000, disconnect_grace_ms=10_000
    )
    await join(any_stores, concert, "first", "ann")
    await admit(any_stores)
    said = (await entry(any_stores, concert, "ann")).expires_at
    await any_stores.queues.sync_presence(concert.id, "p1", [(PersonId("ann"), 1)])
    await any_stores.queues.sync_presence(concert.id, "p1", [(PersonId("ann"), -2)])
    assert (await entry(any_stores, concert, "ann")).expires_at == said


async def test_a_dead_process_leaves_its_people_the_grace(any_stores: Stores) -> None:
    concert = await with_room(any_stores, 10, total_active_users=1)
    await join(any_stores, concert, "first", "ann", "ben")
    await any_stores.queues.sync_presence(concert.id, "p1", [(PersonId("ann"), 1), (PersonId("ben"), 1)])
    await any_stores.queues.sync_presence(concert.id, "p2", [(PersonId("ben"), 1)])
    await make_due(any_stores, concert, "leases", "p1")
    with pytest.raises(LeaseExpired):
        await any_stores.queues.sync_presence(concert.id, "p1", [(PersonId("ann"), 2)])
    await admit(any_stores)
    assert (await entry(any_stores, concert, "ann")).expires_at is not None
    assert (await entry(any_stores, concert, "ben")).expires_at is None
    await any_stores.queues.sync_presence(concert.id, "p1-again", [(PersonId("ann"), 1)])
    assert (await entry(any_stores, concert, "ann")).expires_at is None


async def test_only_an_open_room_is_joined(stores: Stores) -> None:
    off = await on_sale(stores, 10)
    with pytest.raises(RoomNotOpen):
        await join(stores, off, "ann")
    closed = await with_room(stores, 10)
    await join(stores, closed, "ann")
    await concerts.close_concert(organizer(stores), closed.id)
    with pytest.raises(RoomNotOpen):
        await join(stores, closed, "ben")
    assert await admit(stores) == 0
    made = await concerts.create_concert(organizer(stores), draft(5))
    assert await rooms.get_waiting_room(context(stores), made.id) is None


async def test_who_joins_too_often_is_told_when_to_come_back(stores: Stores) -> None:
    concert = await with_room(stores, 10)
    answers = await asyncio.gather(
        *[queues.join_queue(context(stores, "ann"), concert.id) for _ in range(100)], return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, RateLimited)]
    assert len(refused) == 80
    assert {1 <= answer.retry_after_s <= 10 for answer in refused} == {True}
    assert (await join(stores, concert, "ben"))[0].number == 2


async def test_four_workers_at_once_call_nobody_twice(any_stores: Stores) -> None:
    concert = await with_room(any_stores, 10, total_active_users=30)
    people = [f"p{number}" for number in range(100)]
    await asyncio.gather(*[queues.join_queue(context(any_stores, who), concert.id) for who in people])
    await ExpiryWorker().run_once(any_stores)
    called = await asyncio.gather(*[AdmissionWorker().run_once(any_stores) for _ in range(4)])
    assert sum(called) == 30
    found = Counter(await states(any_stores, concert, *people))
    assert found == {EntryState.READY: 30, EntryState.WAITING: 70}


async def test_the_pass_is_the_same_bytes_wherever_it_is_made(stores: Stores) -> None:
    concert = await with_room(stores, 10)
    await join(stores, concert, "ann")
    await wait_until(lambda: admit(stores), what="the call")
    claimed = await queues.claim_pass(context(stores, "ann"), concert.id)
    seen = await entry(stores, concert, "ann")
    assert isinstance(context(stores).passes, PassSigner)
    assert seen.queue_pass == claimed.queue_pass
    assert seen.queue_pass is not None
    assert seen.queue_pass.status is PassStatus.CREATED
