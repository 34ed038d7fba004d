"""What a reviewer of the push path, the estimates and the audits broke: each test is the way in which it was broken."""

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.concerts import Concert
from domain.estimates.room_flow import SLICES, RoomFlow
from domain.estimates.sold_out_forecast import forecast_sold_out
from domain.estimates.wait_estimates import build_wait_table
from domain.holds import EndReason, Hold, HoldState
from domain.ids import ConcertId, HoldId, PersonId, TierId
from domain.queues import EntryState
from domain.stock import Stock, TierStock
from domain.topics import HoldsTopic, QueueTopic, RoomTopic, Snapshot, Topic
from storage.mongo.concerts import ConcertStore
from storage.sync.concert_cache import ConcertCache
from subscriptions.interfaces import Rendered
from subscriptions.publishing.concert_publisher import ConcertPublisher
from subscriptions.publishing.presence import Presence
from subscriptions.publishing.push_intervals import PushIntervals
from subscriptions.publishing.subscriber_groups import Subscriber
from tests.support.fake_queue import FakeQueue
from tests.support.hub_recorder import SnapshotRecorder
from tests.support.snapshots import CONCERT, hold
from tests.support.waiting import wait_until
from workers.schedule import Schedule

BIG = 2_000_000
counts = st.integers(0, BIG) | st.integers(0, 3)
slices = st.tuples(*[st.integers(0, 5) | st.integers(0, 200_000)] * SLICES) | st.just((0,) * SLICES)


@st.composite
def flows(draw: st.DrawFn) -> RoomFlow:
    now_s = draw(st.floats(1.6e9, 2e9) | st.sampled_from([1.7e9, 1_700_000_005.0, 1_700_000_009.999]))
    opened = draw(st.none() | st.sampled_from([0.0, 0.001, 1, 10, 100, 86_400, 1e7, -5]))
    return RoomFlow(
        now_s=now_s,
        opened_s=None if opened is None else now_s - opened,
        **{
            name: draw(counts)
            for name in (
                "joined",
                "called",
                "claimed",
                "completed",
                "tickets",
                "left",
                "absent",
                "not_claimed",
                "session_over",
            )
        },
        joined_lately=draw(slices),
        called_lately=draw(slices),
        gone_lately=draw(slices),
    )


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(flows(), st.integers(0, BIG), st.integers(1, 1_000_000), st.integers(1, 1_000_000), st.data())
def test_pace_of_any_flow(flow: RoomFlow, taken: int, active: int, per_minute: int, data: st.DataObject) -> None:
    pace = build_wait_table(flow, slots_taken=taken, total_active_users=active, new_users_per_minute=per_minute)
    before = None
    for position in sorted(data.draw(st.lists(st.integers(1, 2_000_000), min_size=2, max_size=6))):
        found = pace.estimate(position)
        if found is None:
            before = (10**9, 10**9)
            continue
        assert 0 <= found.p50_s <= found.p90_s <= 86_400, found
        if before:
            assert found.p50_s >= before[0], (found, before)
            assert found.p90_s >= before[1], (found, before)
        before = (found.p50_s, found.p90_s)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    flows(),
    st.lists(
        st.tuples(st.integers(0, 200_000), st.integers(0, 200_000), st.integers(0, 200_000)), min_size=1, max_size=5
    ),
)
def test_outlook_of_any_flow(flow: RoomFlow, tiers: list[tuple[int, int, int]]) -> None:
    stock = Stock(
        epoch=1,
        version=1,
        tiers=tuple(
            TierStock(TierId(f"t-{i}"), capacity=free + held + sold, held=held, sold=sold)
            for i, (free, held, sold) in enumerate(tiers)
        ),
    )
    outlook = forecast_sold_out(stock, flow)
    assert not math.isnan(outlook.sold_out_from)
    assert outlook.sold_out_from >= 0


SLOW = PushIntervals(((10, 0.0),), 1_000.0)


class Flaky(SnapshotRecorder):
    """A source whose next rendering fails, as one that takes longer than two seconds does."""

    fails = False

    async def render(self, snapshot: Snapshot) -> Rendered:
        if self.fails:
            self.fails = False
            raise TimeoutError("rendering took too long")
        return await super().render(snapshot)


def watch_of(line: FakeQueue, push_intervals: PushIntervals = SLOW) -> ConcertPublisher:
    return ConcertPublisher(CONCERT.id, line, line, tick_s=0.001, push_intervals=push_intervals)


def come(watching: ConcertPublisher, topic: Topic) -> Flaky:
    seen = Flaky(topic)
    watching.add(Subscriber(seen, seen.deliver))
    return seen


async def test_an_end_whose_rendering_failed_is_told_at_the_next_look() -> None:
    line = FakeQueue(people=1_000)
    watching = watch_of(line)
    seen = come(watching, QueueTopic(CONCERT.id, PersonId("p500")))
    await watching._refresh()
    line.change("p500", EntryState.EXPIRED)
    seen.fails = True
    for _ in range(20):
        line.move()
        await watching._refresh()
    assert seen.entry().state is EntryState.EXPIRED


async def test_a_call_whose_rendering_failed_is_told_at_the_next_look() -> None:
    line = FakeQueue(people=1_000)
    watching = watch_of(line)
    seen = come(watching, QueueTopic(CONCERT.id, PersonId("p500")))
    await watching._refresh()
    line.serving = 500
    line.change("p500", EntryState.READY)
    seen.fails = True
    for _ in range(5):
        await watching._refresh()
    assert seen.entry().state is EntryState.READY


class Holding(FakeQueue):
    held: tuple[Hold, ...] = ()
    ended: Hold | None = None

    async def read_holds(self, concert_id: ConcertId, person_id: PersonId) -> tuple[Hold, ...]:
        return self.held

    async def read_hold(self, concert_id: ConcertId, hold_id: HoldId) -> Hold | None:
        return self.ended


async def test_the_end_of_a_hold_whose_rendering_failed_is_told_at_the_next_look() -> None:
    line = Holding(people=10)
    line.held = (hold(),)
    watching = watch_of(line)
    seen = come(watching, HoldsTopic(CONCERT.id, PersonId("p5")))
    await watching._refresh()
    assert isinstance(seen.last, Hold)
    line.held, line.ended = (), hold(state=HoldState.ENDED, reason=EndReason.EXPIRED)
    line.change("p5", EntryState.WAITING)
    seen.fails = True
    for _ in range(20):
        await watching._refresh()
    assert isinstance(seen.last, Hold)
    assert seen.last.state is HoldState.ENDED


async def test_who_came_when_called_is_spoken_for_when_a_rollback_puts_them_back_in_line() -> None:
    """A store put back to an older copy has their place as it was: waiting, and the same."""
    line = FakeQueue(people=100, serving=50)
    line.states = {PersonId("p50"): EntryState.READY}
    watching = watch_of(line)
    seen = come(watching, QueueTopic(CONCERT.id, PersonId("p50")))
    await watching._refresh()
    assert seen.entry().state is EntryState.READY
    line.serving = 40
    line.change("p50", EntryState.WAITING)
    await watching._refresh()
    await watching._presence.sync()
    assert seen.entry().state is EntryState.WAITING
    assert line.attached == ["p50"]


class Slow(SnapshotRecorder):
    async def render(self, snapshot: Snapshot) -> Rendered:
        await asyncio.sleep(60)
        raise AssertionError


async def test_documents_that_render_slowly_keep_nobody_from_their_call() -> None:
    """Four organizers ask for what the database, which hangs, does not answer; `docs`: one's own news at once."""
    line = FakeQueue(people=1_000)
    watching = watch_of(line)
    seen = come(watching, QueueTopic(CONCERT.id, PersonId("p500")))
    for name in ("ann", "ben", "cyd", "dan"):
        slow = Slow(RoomTopic(CONCERT.id), group=name)
        member = Subscriber(slow, slow.deliver)
        member.first_delivery.add_done_callback(lambda first: first.exception())
        watching.add(member)
    task = asyncio.create_task(watching.run())
    try:
        await wait_until(lambda: bool(seen.snapshots), timeout=20, what="the first payload")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Leaving(SnapshotRecorder):
    """Somebody else's socket goes while this one is shown something."""

    def __init__(self, topic: Topic) -> None:
        super().__init__(topic)
        self.goes: Callable[[], None] = lambda: None

    async def render(self, snapshot: Snapshot) -> Rendered:
        self.goes()
        return await super().render(snapshot)


async def test_who_went_while_the_line_was_shown_is_read_no_more() -> None:
    line = FakeQueue(people=100)
    watching = watch_of(line, PushIntervals((), 0.0))
    stays = Leaving(QueueTopic(CONCERT.id, PersonId("p60")))
    watching.add(Subscriber(stays, stays.deliver))
    went = SnapshotRecorder(QueueTopic(CONCERT.id, PersonId("p50")))
    member = Subscriber(went, went.deliver)
    watching.add(member)
    await watching._refresh()
    stays.goes = lambda: watching.remove(member)
    # Nobody named them: as after an opening by a worker that this process heard of late.
    line.serving = 50
    line.version += 1
    await watching._refresh()
    line.asked.clear()
    for _ in range(5):
        line.version += 1
        await watching._refresh()
    assert line.asked == []
    assert watching._queue._dirty == {}


class BrokenCatalogue:
    reads = 0

    async def list_active(self, *, starts_after: object) -> list[Concert]:
        self.reads += 1
        if self.reads > 1:
            raise ValueError("a document that nobody can read")
        return [CONCERT]


async def test_a_catalogue_that_cannot_be_read_is_read_again_at_its_usual_pace() -> None:
    store = BrokenCatalogue()
    living = ConcertCache(cast("ConcertStore", store))
    await living.list_all()
    living._read_at = float("-inf")
    for _ in range(50):
        assert await living.list_all() == (CONCERT,)
        await asyncio.sleep(0.002)
    await living.aclose()
    assert store.reads == 2


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["look", "wake", "idle", "fail"]), st.floats(0, 1.5)), max_size=60))
def test_no_wake_up_is_lost_by_an_agenda(steps: list[tuple[str, float]]) -> None:
    now_s = 100.0
    plan = Schedule(active_s=0.2, idle_s=2.0, clock=lambda: now_s)
    id_ = CONCERT.id
    woken_s: float | None = None
    looking = False
    for what, passes_s in steps:
        now_s += passes_s
        if what == "wake":
            if plan.wake(id_) and woken_s is None:
                woken_s = now_s
        elif looking:
            if what == "fail":
                plan.failed(id_)
            else:
                plan.completed(id_, is_active=what == "look")
            looking = False
        else:
            looking = plan.due([id_]) == [id_]
            if looking:
                woken_s = None
            elif woken_s is not None:
                assert now_s - woken_s < 0.2 * 1.1 + 1e-6


async def test_who_joined_and_was_called_after_the_line_was_read_is_shown_at_the_next_look() -> None:
    line = FakeQueue(people=10, serving=10)
    line.states = {PersonId("p11"): EntryState.READY}
    watching = watch_of(line)
    come(watching, QueueTopic(CONCERT.id, PersonId("p10")))
    await watching._refresh()
    seen = come(watching, QueueTopic(CONCERT.id, PersonId("p11")))
    await watching._refresh()
    assert seen.snapshots == []


class Liveness:
    """What a process said, under which names."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[PersonId, bool], bool]] = []

    async def sync_presence(
        self, concert_id: ConcertId, process: str, people: Sequence[tuple[PersonId, int]], *, is_known: bool
    ) -> None:
        self.said.append((process, {person: news > 0 for person, news in people}, is_known))


async def test_who_has_gone_is_not_spoken_for_after_a_rollback_that_forgot_it() -> None:
    """What a store that was put back knows of the old name ends with its lease, which nobody renews."""
    ann, ben = PersonId("ann"), PersonId("ben")
    liveness = Liveness()
    presence_sync = Presence(CONCERT.id, liveness)
    for who in (ann, ben):
        presence_sync.connected(who)
    await presence_sync.sync()
    presence_sync.disconnected(ann)
    await presence_sync.sync()
    presence_sync.resync_all()
    await presence_sync.sync()
    (first, *_, last) = liveness.said
    assert (first[1], last[1:]) == ({ann: True, ben: True}, ({ben: True}, False))
    assert first[0] != last[0]
