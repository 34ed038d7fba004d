"""Regression tests for faults that a review found in the hub and the GraphQL API."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.concerts import Concert
from domain.errors import RoomNotOpen
from domain.estimates.sold_out_forecast import forecast_sold_out
from domain.ids import ConcertId, PersonId
from domain.page import PageRequest
from domain.queues import EntryState, QueueingMethod
from domain.room_audits import ManualAdmission, RoomAction
from domain.room_changes import RoomSettingsPatch
from domain.stock import StockAhead
from domain.topics import QueueSnapshot, QueueTopic
from resolvers import queues, rooms
from resolvers.snapshots import StoreSnapshotReader
from resolvers.wait_tables import WaitTableCache
from schema import Operation, execute, ids
from storage.connect import Stores
from subscriptions.hub import Hub
from subscriptions.interfaces import ConcertSnapshot
from tests.support.hot_keys import make_due
from tests.support.hub_recorder import SnapshotRecorder, open_hub, subscribe
from tests.support.lottery import numbers, register, with_lottery
from tests.support.queue_steps import admit, hold_with_pass, join, leave_all, make_people, pass_of, states, with_room
from tests.support.sale import PASSES, buy, context, key, organizer
from workers.opening import OpeningWorker


async def reset_with_30_buyers(stores: Stores) -> tuple[Concert, list[PersonId]]:
    """Return a paused concert that was reset, and 30 people with passes from its previous round."""
    concert = await with_room(stores, 100, total_active_users=30)
    buyers = make_people(30, "buyer")
    await join(stores, concert, *buyers)
    await admit(stores, concert)
    for who in buyers:
        await pass_of(stores, concert, who)
    await rooms.pause(organizer(stores), concert.id)
    return await rooms.reset(organizer(stores), concert.id, RoomSettingsPatch(), key()), buyers


async def test_purchases_from_an_earlier_round_change_no_position(stores: Stores, hub: Hub) -> None:
    """Thirty people called before a reset buy tickets before the new round calls anyone."""
    concert, buyers = await reset_with_30_buyers(stores)
    await join(stores, concert, "ann")
    seen = await subscribe(hub, QueueTopic(concert.id, PersonId("ann")))
    assert seen.state_and_position() == (EntryState.WAITING, 1)
    for who in buyers:
        await buy(stores, await hold_with_pass(stores, concert, who))
    again = SnapshotRecorder(QueueTopic(concert.id, PersonId("ann")))
    await hub.subscribe(again, again.deliver)
    assert again.state_and_position() == (EntryState.WAITING, 1)


async def test_purchases_from_an_earlier_round_do_not_sell_out_the_next(stores: Stores) -> None:
    """Thirty people buy after a reset. Then one person is called, and 20 wait for 70 tickets."""
    concert, buyers = await reset_with_30_buyers(stores)
    await register(stores, concert, make_people(21))
    for who in buyers:
        await buy(stores, await hold_with_pass(stores, concert, who))
    change = RoomSettingsPatch((("total_active_users", 1), ("queue_all", False)))
    await rooms.configure(organizer(stores), concert.id, change, expected_version=None)
    await admit(stores, concert)
    queue = await stores.queues.read_queue(concert.id)
    assert (queue.flow.called, queue.positions.waiting_count) == (1, 20)
    stock = await stores.holds.read_stock(concert)
    assert forecast_sold_out(stock, queue.flow).stock_ahead(20) is StockAhead.AVAILABLE


async def test_manual_admission_is_audited_even_if_its_retry_was_refused(stores: Stores, monkeypatch: Any) -> None:
    """The retry is refused before the room opens; the delayed first request succeeds afterwards."""
    opens_at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    concert = await with_room(stores, 100, opens_at=opens_at)
    await join(stores, concert, "ann")
    idempotency_key, call = key(), stores.queues.admit_next
    has_begun, may_continue = asyncio.Event(), asyncio.Event()

    async def delayed(*args: Any, **named: Any) -> int:
        monkeypatch.setattr(stores.queues, "admit_next", call)
        has_begun.set()
        await may_continue.wait()
        return await call(*args, **named)

    monkeypatch.setattr(stores.queues, "admit_next", delayed)
    first_request = asyncio.create_task(rooms.admit_next(organizer(stores), concert.id, 1, idempotency_key))
    await has_begun.wait()
    with pytest.raises(RoomNotOpen):
        await rooms.admit_next(organizer(stores), concert.id, 1, idempotency_key)
    change = RoomSettingsPatch((("opens_at", datetime.now(UTC) - timedelta(minutes=1)),))
    await rooms.configure(organizer(stores), concert.id, change, expected_version=None)
    may_continue.set()
    assert (await first_request).called == 1
    page = await rooms.page_audits(organizer(stores), concert.id, PageRequest(10))
    found = [row.manual_admission for row in page.items if row.command.action is RoomAction.ADMITTED_NEXT]
    assert [call.called for call in found if call] == [1]


async def test_draw_between_two_reads_causes_no_wrong_position(stores: Stores, valkey_url: str) -> None:
    """Half the people have left. The queue opens after it is read but before its entries are."""
    concert = await with_lottery(stores)
    people = make_people(16)
    await register(stores, concert, people)
    await leave_all(stores, concert, people[:8])

    class OpeningReader(StoreSnapshotReader):
        async def read_snapshot(self, concert_id: ConcertId, *, after: int) -> ConcertSnapshot:
            snapshot = await super().read_snapshot(concert_id, after=after)
            await OpeningWorker().run_once(stores)
            return snapshot

    subscribers = [SnapshotRecorder(QueueTopic(concert.id, who)) for who in people[8:]]
    async with open_hub(stores, valkey_url, reader=OpeningReader(stores, PASSES, WaitTableCache())) as (hub, _):
        await asyncio.gather(*[hub.subscribe(one, one.deliver) for one in subscribers])
    given = await numbers(stores, concert, people[8:])
    in_order = sorted(people[8:], key=lambda who: given[who] or 0)
    entries = [
        snapshot.entry for one in subscribers for snapshot in one.snapshots if isinstance(snapshot, QueueSnapshot)
    ]
    assert len(entries) >= 8
    for entry in entries:
        assert entry is not None
        if entry.number is not None and entry.position is not None:
            assert entry.position == in_order.index(entry.person_id) + 1


async def _query(stores: Stores, who: str, document: str, **variables: object) -> Any:
    answer = await execute(Operation(document, variables, None), context(stores, who))
    assert "errors" not in answer.payload, answer.payload
    return answer.payload["data"]


@pytest.mark.parametrize("case", ["in the first round", "after a reset", "after a lottery", "with the random method"])
async def test_node_finds_an_entry_by_its_id(stores: Stores, case: str) -> None:
    if case == "after a lottery":
        concert = await with_lottery(stores)
        people = make_people(12)
        await register(stores, concert, people)
        await OpeningWorker().run_once(stores)
    else:
        method = QueueingMethod.RANDOM if case == "with the random method" else QueueingMethod.FIFO
        concert = await with_room(stores, 100, total_active_users=1, queueing_method=method)
        people = make_people(3)
        await register(stores, concert, people)
        if case == "after a reset":
            await rooms.reset(organizer(stores), concert.id, RoomSettingsPatch(), key())
            await register(stores, concert, people)
    for who in people:
        document = "query ($id: ID!) { queueEntry(concertId: $id) { id } }"
        shown = (await _query(stores, who, document, id=ids.of_concert(concert.id)))["queueEntry"]["id"]
        found = await _query(stores, who, "query ($id: ID!) { node(id: $id) { id } }", id=shown)
        assert found["node"] == {"id": shown}


async def test_flow_counts_only_the_current_round(stores: Stores) -> None:
    concert = await with_room(stores, 100, total_active_users=1)
    await join(stores, concert, "ann")
    await admit(stores, concert)
    await rooms.reset(organizer(stores), concert.id, RoomSettingsPatch(), key())
    await queues.leave_queue(context(stores, "ann"), concert.id)
    flow = (await stores.queues.read_queue(concert.id)).flow
    assert (flow.called, flow.left) == (0, 0)


async def test_manual_admission_skips_many_absent_people(stores: Stores) -> None:
    """The first 300 entries are overdue. One script call ends fewer than 300."""
    concert = await with_room(stores, 100, total_active_users=1_000, queue_all=True)
    absent, present = make_people(300), make_people(5, first=301)
    await register(stores, concert, absent)
    await admit(stores, concert)
    await register(stores, concert, present)
    await make_due(stores, concert, "presence_deadlines", *absent)
    assert await rooms.admit_next(organizer(stores), concert.id, 5, key()) == ManualAdmission(5, 5, None)
    assert await states(stores, concert, *present) == [EntryState.READY] * 5
