"""Shared snapshots of a queue, built from its positions."""

from dataclasses import replace

from domain.estimates.room_flow import RoomFlow
from domain.estimates.wait_estimates import NO_ESTIMATE, WaitTable
from domain.queue_positions import QueuePositions
from domain.queues import QueueingMethod, RoomStatus
from domain.stock import Stock
from resolvers.wait_tables import build_waiting_room
from storage.hot.queue_state import QueueState
from subscriptions.interfaces import RoomSnapshot
from subscriptions.publishing.push_intervals import PushIntervals
from subscriptions.publishing.shared_snapshot import SharedSnapshot
from tests.support.snapshots import CONCERT, ROOM, STOCK

PUSH_INTERVALS = PushIntervals(((3, 0.0), (8, 2.0)), 10.0)
BUSY = RoomFlow(
    now_s=1_000.0, opened_s=0.0, joined=400, called=200, claimed=200, completed=100, called_lately=(2,) * 31
)


def shared_snapshot(
    queue: QueuePositions,
    stock: Stock = STOCK,
    flow: RoomFlow = BUSY,
    *,
    version: int = 9,
    method: QueueingMethod = QueueingMethod.FIFO,
    message: str = "",
    wait_table: WaitTable = NO_ESTIMATE,
) -> SharedSnapshot:
    state = QueueState(
        epoch=1,
        version=version,
        concert_version=1,
        round=1,
        positions=queue,
        slots_taken=ROOM.slots_taken,
        passes_issued=ROOM.passes_issued,
        status=RoomStatus.OPEN,
        is_opened=True,
        grace_until_ms=0,
        flow=flow,
    )
    settings = replace(CONCERT.room, queueing_method=method, message=message)
    room = build_waiting_room(replace(CONCERT, room=settings), state.room)
    return SharedSnapshot.build(RoomSnapshot(room, state, wait_table), stock, PUSH_INTERVALS)


def stock_left(available: int) -> Stock:
    """Return a stock in which this many tickets are available."""
    (tier,) = STOCK.tiers
    return replace(STOCK, tiers=(replace(tier, capacity=tier.held + tier.sold + available),))
