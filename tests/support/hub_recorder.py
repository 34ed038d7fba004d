"""A source that records a hub's snapshots, and a check that their versions never decrease."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from domain.estimates.wait_estimates import WaitEstimate
from domain.queues import EntryState, QueueEntry, RoomSettings, WaitingRoom
from domain.topics import EntryNumbers, QueueSnapshot, Snapshot, StockSnapshot, Topic
from resolvers.snapshots import StoreSnapshotReader
from resolvers.wait_tables import WaitTableCache
from settings import Settings
from storage.connect import Stores
from subscriptions.feed import Feed
from subscriptions.hub import Hub
from subscriptions.interfaces import Rendered, SharedGroup
from subscriptions.publishing.push_intervals import PushIntervals
from tests.support.sale import PASSES

TICK_S = 0.02
"""Shorter than on a server, so that tests do not wait long for the next refresh."""
PUSH_INTERVALS = PushIntervals.from_pairs(Settings().push_intervals)
"""The default intervals."""
ROOM = RoomSettings(suspended=False, total_active_users=2, new_users_per_minute=10_000)


@dataclass(frozen=True, slots=True)
class Shown(Rendered):
    snapshot: Snapshot | None = None


@dataclass
class SnapshotRecorder:
    """A source that keeps the snapshots that it receives and renders only a placeholder."""

    topic: Topic
    group: str = "all"
    renders: int = 0
    snapshots: list[Snapshot] = field(default_factory=list)

    @property
    def has_varying_rights(self) -> bool:
        return False

    def shared_group(self, snapshot: Snapshot) -> SharedGroup | None:
        return None

    def render_cached(self, snapshot: Snapshot) -> Rendered | None:
        return None

    async def render(self, snapshot: Snapshot) -> Rendered:
        self.renders += 1
        return Shown(b"{}", snapshot=snapshot)

    def entry_writer(self, snapshot: QueueSnapshot) -> "SnapshotWriter | None":
        return SnapshotWriter(snapshot.entry)

    def deliver(self, rendered: Rendered) -> None:
        assert isinstance(rendered, Shown)
        assert rendered.snapshot is not None
        self.snapshots.append(rendered.snapshot)

    @property
    def last(self) -> Snapshot:
        return self.snapshots[-1]

    def stock(self) -> list[tuple[int, int, int]]:
        return [(tier.available, tier.held, tier.sold) for tier in self.sale().stock.tiers]

    def sale(self) -> StockSnapshot:
        assert isinstance(self.last, StockSnapshot)
        return self.last

    def queue(self) -> QueueSnapshot:
        assert isinstance(self.last, QueueSnapshot)
        return self.last

    def room(self) -> WaitingRoom:
        assert isinstance(self.last, WaitingRoom)
        return self.last

    def entry(self) -> QueueEntry:
        entry = self.queue().entry
        assert entry is not None
        return entry

    def state_and_position(self) -> tuple[EntryState, int | None]:
        return self.entry().state, self.entry().position

    def versions(self) -> list[tuple[int, int]]:
        shared = [one.room if isinstance(one, QueueSnapshot | StockSnapshot) else one for one in self.snapshots]
        return [(room.epoch, room.version) for room in shared if isinstance(room, WaitingRoom)]


@dataclass(frozen=True, slots=True)
class SnapshotWriter:
    """Writes the entry that was rendered last, with new numbers."""

    entry: QueueEntry | None

    def write(self, common: QueueSnapshot, numbers: EntryNumbers) -> Rendered:
        number, position, p50_s, p90_s = numbers
        estimate = None if p50_s is None or p90_s is None else WaitEstimate(p50_s, p90_s)
        epoch, version = common.room.epoch, common.room.version
        entry = self.entry and replace(
            self.entry, number=number, position=position, estimate=estimate, epoch=epoch, version=version
        )
        return Shown(b"{}", snapshot=replace(common, entry=entry))


def check_rising(seen: SnapshotRecorder) -> None:
    versions = seen.versions()
    assert versions == sorted(versions)


@asynccontextmanager
async def open_hub(
    stores: Stores,
    url: str,
    *,
    push_intervals: PushIntervals = PUSH_INTERVALS,
    reader: StoreSnapshotReader | None = None,
) -> AsyncIterator[tuple[Hub, Feed]]:
    feed = Feed(url)
    await feed.start()
    reader = reader or StoreSnapshotReader(stores, PASSES, WaitTableCache())
    hub = Hub(feed, reader, stores.queues, tick_s=TICK_S, push_intervals=push_intervals)
    try:
        yield hub, feed
    finally:
        await hub.aclose()
        await feed.aclose()


async def subscribe(hub: Hub, topic: Topic) -> SnapshotRecorder:
    seen = SnapshotRecorder(topic)
    await hub.subscribe(seen, seen.deliver)
    return seen
