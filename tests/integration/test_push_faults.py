"""What a reviewer of the push path and the face broke on real stores: each test is the way in which it was broken."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.errors import RoomNotOpen
from domain.estimates.sold_out_forecast import forecast_sold_out
from domain.ids import ConcertId, PersonId
from domain.queues import EntryState, QueueingMethod
from domain.room_audits import AdmissionLimit, RoomAction
from domain.room_changes import RoomSettingsPatch
from domain.stock import StockAhead
from domain.topics import QueueTopic
from resolvers import queues, rooms
from resolvers.snapshots import StoreSnapshotReader
from resolvers.wait_tables import WaitTableCache
from schema import Operation, execute, ids
from storage.connect import Stores
from storage.keys import KINDS, concert_keys
from subscriptions.hub import Hub
from subscriptions.interfaces import ConcertSnapshot
from subscriptions.publishing.concert_publisher import ConcertPublisher
from subscriptions.publishing.push_intervals import PushIntervals
from subscriptions.publishing.subscriber_groups import Subscriber
from tests.integration.test_storage_queues import admit, hold_with_pass, join, with_room
from tests.support.hub_recorder import SnapshotRecorder, subscribe
from tests.support.lottery import leave, make_people, register, with_lottery
from tests.support.sale import PASSES, buy, context, key, organizer
from workers.opening import OpeningWorker

pytestmark = pytest.mark.timeout(60)


async def test_buyers_of_the_last_round_break_nobodys_place_in_the_new_one(stores: Stores, hub: Hub) -> None:
    """Thirty who were called before a reset buy after it, before anybody is called in the new round."""
    concert = await with_room(stores, 100, total_active_users=30)
    buyers = [f"buyer{number}" for number in range(30)]
    await join(stores, concert, *buyers)
    await admit(stores)
    for who in buyers:
        await queues.claim_pass(context(stores, who), concert.id)
    await rooms.pause(organizer(stores), concert.id)
    await rooms.reset(organizer(stores), concert.id, RoomSettingsPatch(), key())
    await join(stores, concert, "ann")
    seen = await subscribe(hub, QueueTopic(concert.id, PersonId("ann")))
    assert seen.place() == (EntryState.WAITING, 1)
    for who in buyers:
        await buy(stores, await hold_with_pass(stores, concert, who, 1))
    again = SnapshotRecorder(QueueTopic(concert.id, PersonId("ann")))
    await asyncio.wait_for(hub.subscribe(again, again.deliver), 5)
    assert again.place() == (EntryState.WAITING, 1)


async def test_tickets_of_the_last_round_do_not_sell_out_the_new_one(stores: Stores) -> None:
    """Thirty bought one each after a reset, and one was called since: 70 are left, and 20 people wait."""
    concert = await with_room(stores, 100, total_active_users=30)
    buyers = [f"buyer{number}" for number in range(30)]
    await join(stores, concert, *buyers)
    await admit(stores)
    for who in buyers:
        await queues.claim_pass(context(stores, who), concert.id)
    await rooms.pause(organizer(stores), concert.id)
    await rooms.reset(organizer(stores), concert.id, RoomSettingsPatch(), key())
    await register(stores, concert, make_people(21))
    for who in buyers:
        await buy(stores, await hold_with_pass(stores, concert, who, 1))
    change = RoomSettingsPatch((("total_active_users", 1), ("queue_all", False)))
    await rooms.configure(organizer(stores), concert.id, change, expected_version=None)
    await admit(stores)
    line = await stores.queues.read_queue(concert.id)
    assert (line.flow.called, line.positions.waiting_count) == (1, 20)
    stock = await stores.holds.read_stock(concert.id)
    assert forecast_sold_out(stock, line.flow).stock_ahead(20) is StockAhead.AVAILABLE


async def test_a_call_by_hand_keeps_its_row_where_its_twin_was_refused(stores: Stores, monkeypatch: Any) -> None:
    """The same command twice, as a retry sends it; the room opens between the two."""
    opens_at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    concert = await with_room(stores, 100, opens_at=opens_at)
    await join(stores, concert, "ann")
    idempotency_key, call, twin_goes_on = key(), stores.queues.admit_next, asyncio.Event()
    meets = asyncio.Event()

    async def late(*args: Any, **named: Any) -> int:
        monkeypatch.setattr(stores.queues, "admit_next", call)
        meets.set()
        await twin_goes_on.wait()
        return await call(*args, **named)

    monkeypatch.setattr(stores.queues, "admit_next", late)
    twin = asyncio.create_task(rooms.admit_next(organizer(stores), concert.id, 1, idempotency_key))
    await meets.wait()
    with pytest.raises(RoomNotOpen):
        await rooms.admit_next(organizer(stores), concert.id, 1, idempotency_key)
    change = RoomSettingsPatch((("opens_at", datetime.now(UTC) - timedelta(minutes=1)),))
    await rooms.configure(organizer(stores), concert.id, change, expected_version=None)
    twin_goes_on.set()
    assert (await twin).called == 1
    page = await rooms.page_audits(organizer(stores), concert.id, first=10, after=None)
    found = [row.manual_admission for row in page.items if row.command.action is RoomAction.ADMITTED_NEXT]
    assert [call.called for call in found if call] == [1]


async def test_nobody_is_shown_a_place_of_a_line_that_was_drawn_after_it_was_read(stores: Stores) -> None:
    """Half have left before the opening, which comes between the reading of the line and that of the entries."""
    concert = await with_lottery(stores)
    people = make_people(16)
    await register(stores, concert, people)
    await leave(stores, concert, people[:8])

    class Between(StoreSnapshotReader):
        async def read_snapshot(self, concert_id: ConcertId, *, after: int) -> ConcertSnapshot:
            snapshot = await super().read_snapshot(concert_id, after=after)
            await OpeningWorker().run_once(stores)
            return snapshot

    reader = Between(stores, PASSES, WaitTableCache())
    watching = ConcertPublisher(concert.id, reader, stores.queues, tick_s=0.01, push_intervals=PushIntervals((), 0.0))
    everybody: Sequence[SnapshotRecorder] = [SnapshotRecorder(QueueTopic(concert.id, who)) for who in people[8:]]
    for one in everybody:
        watching.add(Subscriber(one, one.deliver))
    await watching._refresh()
    shown = [one.entry() for one in everybody if one.snapshots]
    placed = sorted(entry.position for entry in shown if entry.number is not None and entry.position is not None)
    assert placed in ([], list(range(1, 9)))


async def _asked(stores: Stores, who: str, document: str, **variables: object) -> Any:
    answer = await execute(Operation(document, variables, None), context(stores, who))
    assert "errors" not in answer.payload, answer.payload
    return answer.payload["data"]


@pytest.mark.parametrize("what", ["first round", "after a reset", "after a lottery", "by lots"])
async def test_node_finds_a_place_by_the_id_it_was_shown_with(stores: Stores, what: str) -> None:
    if what == "after a lottery":
        concert = await with_lottery(stores)
        people = make_people(12)
        await register(stores, concert, people)
        await OpeningWorker().run_once(stores)
    else:
        method = QueueingMethod.RANDOM if what == "by lots" else QueueingMethod.FIFO
        concert = await with_room(stores, 100, total_active_users=1, queueing_method=method)
        people = make_people(3)
        await register(stores, concert, people)
        if what == "after a reset":
            await rooms.reset(organizer(stores), concert.id, RoomSettingsPatch(), key())
            await register(stores, concert, people)
    for who in people:
        ask = "query ($id: ID!) { queueEntry(concertId: $id) { id } }"
        shown = (await _asked(stores, who, ask, id=ids.of_concert(concert.id)))["queueEntry"]["id"]
        found = await _asked(stores, who, "query ($id: ID!) { node(id: $id) { id } }", id=shown)
        assert found["node"] == {"id": shown}


async def test_what_a_round_counts_is_of_that_round(stores: Stores) -> None:
    """`RoomFlow`: totals are of this round."""
    concert = await with_room(stores, 100, total_active_users=1)
    await join(stores, concert, "ann")
    await admit(stores)
    await rooms.reset(organizer(stores), concert.id, RoomSettingsPatch(), key())
    await queues.leave_queue(context(stores, "ann"), concert.id)
    flow = (await stores.queues.read_queue(concert.id)).flow
    assert (flow.called, flow.left) == (0, 0)


async def test_what_a_hand_was_stopped_by_is_said_truly(stores: Stores) -> None:
    """300 places in front are over and not worked off yet; both caps are wide open."""
    concert = await with_room(stores, 100, total_active_users=1_000, queue_all=True, heartbeat_timeout_ms=1_000)
    people = make_people(300)
    await register(stores, concert, people)
    await admit(stores)
    await register(stores, concert, make_people(5, first=301))
    alive = concert_keys(concert.id)[KINDS.index("presence_deadlines")]
    for who in people:
        await stores.script_client.run_command("ZADD", alive, "XX", "1", who)
    for who in make_people(5, first=301):
        await stores.script_client.run_command("ZADD", alive, "XX", "99999999999999", who)
    call = await rooms.admit_next(organizer(stores), concert.id, 5, key())
    assert call.limit is not AdmissionLimit.NEW_USERS_PER_MINUTE
