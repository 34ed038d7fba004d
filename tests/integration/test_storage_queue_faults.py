"""What a reviewer broke of the line once: each test is the way in which it was broken."""

from typing import Any

import pytest

from domain.concerts import Concert
from domain.errors import HoldEnded
from domain.ids import ConcertId, PersonId
from domain.queues import EntryState
from resolvers import holds, queues
from schema import Operation, execute, ids
from storage.connect import Stores
from storage.hot.queue_state import QueueState
from storage.hot.queues import LeaseExpired
from storage.keys import KINDS, concert_keys
from tests.integration.test_storage_queues import admit, entry, hold_with_pass, join, make_due, states, with_room
from tests.support.sale import buy, check_invariants, context, hold, on_sale
from workers.admission import AdmissionWorker
from workers.expiry import ExpiryWorker

ANN = PersonId("ann")


def key(concert: Concert, kind: str) -> str:
    return concert_keys(concert.id)[KINDS.index(kind)]


async def jump(stores: Stores, concert: Concert, seconds: int) -> None:
    """The store's clock goes on by so much, with nobody looking after the concert meanwhile."""
    await stores.script_client.run_command("HINCRBY", key(concert, "state"), "now_ms", str(seconds * 1_000))


async def live(stores: Stores, concert: Concert, seconds: int, process: str = "") -> None:
    """The store's clock goes on, with the workers at work and the process renewing its lease."""
    for _ in range(seconds // 4):
        await jump(stores, concert, 4)
        await admit(stores)
        if process:
            await stores.queues.sync_presence(concert.id, process, is_known=True)


async def with_ann_waiting(stores: Stores) -> Concert:
    concert = await with_room(stores, 10, total_active_users=1)
    await join(stores, concert, "first", "ann")
    await admit(stores)
    await stores.queues.sync_presence(concert.id, "p1", [(ANN, 1)])
    return concert


async def test_an_outage_of_two_minutes_costs_nobody_with_a_socket_their_place(any_stores: Stores) -> None:
    concert = await with_ann_waiting(any_stores)
    await jump(any_stores, concert, 120)
    await admit(any_stores)
    assert (await entry(any_stores, concert, "ann")).expires_at is None
    await any_stores.queues.sync_presence(concert.id, "p1", is_known=True)
    await live(any_stores, concert, 80, "p1")
    assert await states(any_stores, concert, "ann") != [EntryState.EXPIRED]


async def test_a_process_whose_lease_was_worked_off_hears_of_it(any_stores: Stores) -> None:
    concert = await with_ann_waiting(any_stores)
    await make_due(any_stores, concert, "leases", "p1")
    await admit(any_stores)
    with pytest.raises(LeaseExpired):
        await any_stores.queues.sync_presence(concert.id, "p1", is_known=True)
    await any_stores.queues.sync_presence(concert.id, "p2", [(ANN, 2)])
    assert (await entry(any_stores, concert, "ann")).expires_at is None


async def test_the_end_of_an_old_hold_cuts_no_new_call(stores: Stores) -> None:
    concert = await with_room(stores, 10, total_active_users=1, session_duration_ms=60_000)
    await join(stores, concert, "ann")
    await admit(stores)
    await queues.claim_pass(context(stores, "ann"), concert.id)
    old = await hold_with_pass(stores, concert, "ann", 1)
    await queues.leave_queue(context(stores, "ann"), concert.id)
    await live(stores, concert, 64)
    await join(stores, concert, "ann")
    assert await admit(stores) == 1
    await holds.release_hold(context(stores, "ann"), concert.id, old.id)
    await admit(stores)
    assert await states(stores, concert, "ann") == [EntryState.READY]


async def test_who_leaves_gives_back_what_the_pass_held(any_stores: Stores) -> None:
    """Two holds under one pass were two purchases, once the pass was given back."""
    concert = await with_room(any_stores, 10)
    await join(any_stores, concert, "ann")
    await admit(any_stores)
    await queues.claim_pass(context(any_stores, "ann"), concert.id)
    made = [await hold_with_pass(any_stores, concert, "ann", 1) for _ in range(2)]
    await queues.leave_queue(context(any_stores, "ann"), concert.id)
    for one in made:
        with pytest.raises(HoldEnded):
            await buy(any_stores, one)
    await check_invariants(any_stores, concert)


async def test_a_pass_keeps_its_bytes_through_a_grace(stores: Stores) -> None:
    concert = await with_room(stores, 10)
    await join(stores, concert, "ann")
    await admit(stores)
    claimed = await queues.claim_pass(context(stores, "ann"), concert.id)
    await jump(stores, concert, 280)
    await ExpiryWorker().run_once(stores)
    seen = await entry(stores, concert, "ann")
    assert claimed.queue_pass is not None
    assert seen.queue_pass is not None
    assert seen.queue_pass.token == claimed.queue_pass.token


async def test_somebody_overdue_is_not_called(stores: Stores) -> None:
    concert = await with_room(stores, 10, total_active_users=1)
    await join(stores, concert, "ann", "ben", "cyd")
    await ExpiryWorker().run_once(stores)
    for score, who in (("1", "ben"), ("2", "ann")):
        await stores.script_client.run_command("ZADD", key(concert, "presence_deadlines"), "XX", score, who)
    for _ in range(4):
        await stores.hot_state.run_admission(concert.id, bound=1)
    assert await states(stores, concert, "ann", "ben", "cyd") == [
        EntryState.EXPIRED,
        EntryState.EXPIRED,
        EntryState.READY,
    ]


async def test_nobody_waits_at_position_0(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call comes between the reading of the entry and that of the queue: state and position are of one moment."""
    concert = await with_room(stores, 10)
    await join(stores, concert, "ann")
    await ExpiryWorker().run_once(stores)
    read = stores.queues.read_queue

    async def after_a_call(concert_id: ConcertId) -> QueueState:
        await AdmissionWorker().run_once(stores)
        return await read(concert_id)

    monkeypatch.setattr(stores.queues, "read_queue", after_a_call)
    document = "query ($id: ID!) { queueEntry(concertId: $id) { estimatedWait { p50Seconds } state position } }"
    asked = Operation(document, {"id": ids.of_concert(concert.id)}, None)
    for state, position in (("WAITING", 1), ("READY", 0)):
        answer: Any = (await execute(asked, context(stores, "ann"))).payload["data"]
        assert (answer["queueEntry"]["state"], answer["queueEntry"]["position"]) == (state, position)


async def test_a_begun_purchase_is_news_to_its_buyer(stores: Stores) -> None:
    concert = await on_sale(stores, 10)
    made = await hold(stores, concert, 1)
    before = (await stores.queues.read_queue(concert.id)).version
    await stores.holds.begin_purchase(concert.id, made.id, person_id=made.person_id, purchase_key="k", digest="d")
    changes = (await stores.snapshots.read(concert.id, after=before)).changes
    assert changes.people == (made.person_id,)
