"""Wait estimates: exact values where the caps determine them, and properties of every queue."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.estimates.room_flow import SLICES, RoomFlow
from domain.estimates.wait_estimates import NO_ESTIMATE, WaitEstimate, build_wait_table

NOW_S = 1_700_000_005.0
"""Halfway through a slice."""
DAY_S = 86_400


def estimate_wait(
    position: int, flow: RoomFlow, *, slots_taken: int, total_active_users: int, new_users_per_minute: int
) -> WaitEstimate | None:
    """Return the estimate for the person at `position`."""
    table = build_wait_table(
        flow,
        slots_taken=slots_taken,
        total_active_users=total_active_users,
        new_users_per_minute=new_users_per_minute,
    )
    return table.estimate(position)


def slices(**by_age: int) -> tuple[int, ...]:
    """Return counts by slice; `s3=7` puts 7 in the third slice before the current one."""
    counts = [0] * SLICES
    for name, count in by_age.items():
        counts[SLICES - 1 - int(name[1:])] = count
    return tuple(counts)


def even(per_slice: int) -> tuple[int, ...]:
    return (per_slice,) * (SLICES - 1) + (per_slice // 2,)


def slot_limited(rate: int = 1, **changes: object) -> RoomFlow:
    """Return a flow over 1,000 s with 150 x `rate` slots; `rate` of them become free per second."""
    flow = RoomFlow(
        now_s=NOW_S,
        opened_s=NOW_S - 1_000,
        joined=3_000 * rate,
        called=1_000 * rate,
        completed=850 * rate,
        called_lately=even(10 * rate),
    )
    return replace(flow, **changes)  # type: ignore[arg-type]


def p50(position: int, flow: RoomFlow, *, slots: int, per_minute: int, taken: int | None = None) -> int | None:
    taken = slots if taken is None else taken
    found = estimate_wait(position, flow, slots_taken=taken, total_active_users=slots, new_users_per_minute=per_minute)
    return None if found is None else found.p50_s


def test_steady_queue_keeps_its_rate() -> None:
    waits = [p50(position, slot_limited(), slots=150, per_minute=6_000) for position in (10, 50, 100, 300, 1_000)]
    assert waits == [10, 50, 101, 304, 1017]


def test_next_burst_comes_a_full_minute_after_the_last() -> None:
    """600 people were called about 33 s ago; the next 600 are called 61 s after them, and so on."""
    flow = RoomFlow(now_s=NOW_S, opened_s=NOW_S - 33, joined=3_000, called=600, called_lately=slices(s3=600))
    waits = [p50(position, flow, slots=5_000, per_minute=600, taken=600) for position in (1, 550, 650, 1_150, 1_250)]
    # The burst was 25 s to 35 s ago, so the next one is due in 26 s to 36 s. The projection has
    # steps of 6.1 s.
    assert waits == [24, 36, 87, 97, 148]


def test_estimate_at_the_edge_of_a_burst_includes_the_next_one() -> None:
    flow = RoomFlow(now_s=NOW_S, opened_s=NOW_S - 33, joined=3_000, called=600, called_lately=slices(s3=600))
    table = build_wait_table(flow, slots_taken=600, total_active_users=5_000, new_users_per_minute=600)
    edge, inner = table.estimate(598), table.estimate(300)
    assert edge is not None
    assert inner is not None
    assert edge.p50_s <= 37
    assert edge.p90_s >= 85
    assert inner.p90_s <= 40


def test_raised_rate_applies_immediately() -> None:
    """The limit rises from 120 to 600 calls a minute, so 480 people are called immediately."""
    flow = RoomFlow(
        now_s=NOW_S, opened_s=NOW_S - 600, joined=3_000, called=1_200, completed=900, called_lately=even(20)
    )
    assert p50(400, flow, slots=2_000, per_minute=600, taken=300) == 0
    assert p50(700, flow, slots=2_000, per_minute=600, taken=300) == 56


def test_there_is_no_estimate_before_enough_slots_have_been_freed() -> None:
    flow = RoomFlow(now_s=NOW_S, opened_s=NOW_S - 20, joined=500, called=100, called_lately=slices(s2=100))
    assert p50(1, flow, slots=100, per_minute=600) is None
    # Four free slots out of a hundred are still too few.
    ended = replace(flow, called=104, completed=4, called_lately=slices(s2=100, s0=4))
    assert p50(1, ended, slots=100, per_minute=600) is None
    enough = replace(flow, called=110, completed=10, called_lately=slices(s2=100, s0=10))
    assert p50(1, enough, slots=100, per_minute=600) is not None


def test_there_is_no_estimate_before_the_opening_or_the_first_call() -> None:
    before = RoomFlow(now_s=NOW_S, joined=500, joined_lately=slices(s2=500))
    assert build_wait_table(before, slots_taken=0, total_active_users=100, new_users_per_minute=60) is NO_ESTIMATE
    opened = replace(before, opened_s=NOW_S)
    assert estimate_wait(1, opened, slots_taken=0, total_active_users=100, new_users_per_minute=60) is None


def test_there_is_no_estimate_for_positions_beyond_the_known_slots() -> None:
    """400 more slots are free, and no slot has been returned yet."""
    flow = RoomFlow(now_s=NOW_S, opened_s=NOW_S - 33, joined=3_000, called=600, called_lately=slices(s3=600))
    near = p50(300, flow, slots=1_000, per_minute=600, taken=600)
    assert near is not None
    assert p50(500, flow, slots=1_000, per_minute=600, taken=600) is None


def test_people_ahead_who_give_up_shorten_the_wait() -> None:
    with_leavers = slot_limited(gone_lately=even(10), left=300)
    longer = p50(1_000, slot_limited(), slots=150, per_minute=6_000)
    shorter = p50(1_000, with_leavers, slots=150, per_minute=6_000)
    assert longer is not None
    assert shorter is not None
    assert shorter < 0.9 * longer


def test_estimates_equal_the_tuned_values() -> None:
    """If you change a constant of the estimator, run `make simulate` and record its results."""
    young = slot_limited(opened_s=NOW_S - 60, called=210, completed=60, called_lately=slices(s6=150, s1=30, s0=30))
    caps = {"slots_taken": 150, "total_active_users": 150, "new_users_per_minute": 6_000}
    found = [estimate_wait(position, flow, **caps) for flow in (slot_limited(), young) for position in (1, 20, 300)]
    assert found == [WaitEstimate(*seconds) for seconds in ((1, 6), (20, 29), (304, 335), (1, 5), (14, 22), (191, 250))]


def test_more_measurements_narrow_the_estimate() -> None:
    def width(flow: RoomFlow, slots: int, position: int) -> float:
        found = estimate_wait(position, flow, slots_taken=slots, total_active_users=slots, new_users_per_minute=100_000)
        assert found is not None
        return (found.p90_s - found.p50_s) / found.p50_s

    young = slot_limited(opened_s=NOW_S - 60, called=210, completed=60, called_lately=slices(s6=150, s1=30, s0=30))
    assert width(slot_limited(), 150, 300) < width(young, 150, 300)
    assert width(slot_limited(), 150, 1_000) < width(slot_limited(), 150, 20)


def test_estimate_is_at_most_a_day() -> None:
    slow = slot_limited(called=40, completed=30, called_lately=slices(s20=10, s9=10, s5=10, s1=10))
    found = estimate_wait(2_000_000, slow, slots_taken=10, total_active_users=10, new_users_per_minute=60)
    assert found == WaitEstimate(DAY_S, DAY_S)


def test_wait_table_stays_small_even_for_a_long_queue() -> None:
    """One tick reads thousands of estimates from the table, with one search each."""
    table = build_wait_table(
        slot_limited(100), slots_taken=15_000, total_active_users=15_000, new_users_per_minute=600_000
    )
    assert table.positions[-1] > 1_000_000
    assert len(table.positions) < 300


@st.composite
def flows(draw: st.DrawFn) -> tuple[RoomFlow, int, int, int]:
    """Draw a flow that a store could have recorded, the slots taken, and both limits."""
    open_s = draw(st.integers(1, 2_000))
    known = min(SLICES, open_s // 10 + 1)
    counts = st.integers(0, draw(st.sampled_from((2, 30, 600))))
    lately = {name: [0] * (SLICES - known) + [draw(counts) for _ in range(known)] for name in ("called", "gone")}
    joined = [draw(counts) for _ in range(SLICES)]
    called = sum(lately["called"]) + (draw(st.integers(0, 5_000)) if open_s > 310 else 0)
    slots_taken = draw(st.integers(0, called))
    ended = called - slots_taken
    completed = draw(st.integers(0, ended))
    absent = sum(lately["gone"])
    waiting = draw(st.integers(0, 20_000))
    flow = RoomFlow(
        now_s=NOW_S + draw(st.integers(0, 9)),
        opened_s=NOW_S - open_s,
        joined=called + absent + waiting,
        called=called,
        completed=completed,
        session_over=ended - completed,
        absent=absent,
        joined_lately=tuple(joined),
        called_lately=tuple(lately["called"]),
        gone_lately=tuple(lately["gone"]),
    )
    return flow, slots_taken, max(1, slots_taken + draw(st.integers(-50, 500))), draw(st.integers(1, 6_000))


@given(flows(), st.lists(st.integers(1, 200_000), min_size=2, max_size=20))
def test_estimates_never_fall_as_the_position_rises(made: tuple[RoomFlow, int, int, int], positions: list[int]) -> None:
    flow, taken, slots, per_minute = made
    table = build_wait_table(flow, slots_taken=taken, total_active_users=slots, new_users_per_minute=per_minute)
    found = [table.estimate(position) for position in sorted(positions)]
    estimates = [estimate for estimate in found if estimate is not None]
    assert found[: len(estimates)] == estimates, "a position behind one without an estimate has an estimate"
    for estimate in estimates:
        assert 0 <= estimate.p50_s <= estimate.p90_s <= DAY_S
    for ahead, behind in pairwise(estimates):
        assert ahead.p50_s <= behind.p50_s
        assert ahead.p90_s <= behind.p90_s


@given(st.integers(1, 500))
def test_doubling_the_rate_halves_the_wait(position: int) -> None:
    once = p50(position, slot_limited(), slots=150, per_minute=6_000)
    twice = p50(position, slot_limited(2), slots=300, per_minute=12_000)
    assert once is not None
    assert twice is not None
    assert abs(once - 2 * twice) <= 1 + 0.03 * once
