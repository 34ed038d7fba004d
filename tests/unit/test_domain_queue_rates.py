"""Rates measured from a room's flow, and the projection of calls."""

from dataclasses import replace
from itertools import pairwise
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.estimates.call_projection import WINDOW_S, AdmissionCaps, project_calls
from domain.estimates.queue_rates import build_cohorts, measure_rates
from domain.estimates.room_flow import SLICES, RoomFlow
from domain.estimates.slot_occupancy import LONG_FACTOR, LONG_SHARE, Cohort, estimate_occupancy

NOW_S = 1_700_000_000.0
EVEN = (10,) * (SLICES - 1) + (0,)
"""One person per second for five minutes; the current slice has just begun."""


def still_there(age_s: float, mean_s: float) -> float:
    """Return the share of visits that last longer than `age_s`, as in slot_occupancy."""

    def erlang(passed: float) -> float:
        return (1 + passed) * exp(-passed)

    usual = 2 * age_s / mean_s
    return (1 - LONG_SHARE) * erlang(usual) + LONG_SHARE * erlang(usual / LONG_FACTOR)


def test_number_of_waiting_people_follows_from_the_totals() -> None:
    """600 of 1,000 people were called, 50 were absent and 40 left, 15 of them with a slot."""
    flow = RoomFlow(
        now_s=NOW_S, joined=1_000, called=600, completed=400, not_claimed=20, session_over=15, left=40, absent=50
    )
    assert measure_rates(flow, slots_taken=150).waiting == 325


def test_leaving_rate_is_per_person_per_second() -> None:
    """A hundred people wait at any time; ten join and ten leave every ten seconds."""
    flow = RoomFlow(now_s=NOW_S, joined=400, left=300, joined_lately=EVEN, gone_lately=EVEN)
    found = measure_rates(flow, slots_taken=0)
    assert (found.waiting, found.gone) == (100, 300)
    assert found.gone_rate == pytest.approx(0.01)


def test_calls_before_the_first_slice_are_spread_evenly() -> None:
    flow = RoomFlow(now_s=NOW_S, opened_s=NOW_S - 700, called=700, called_lately=EVEN)
    cohorts = build_cohorts(flow)
    assert sum(cohort.count for cohort in cohorts) == 700
    assert [cohort.age_s for cohort in cohorts[:5]] == [650, 550, 450, 350, 295]
    assert all(older.age_s > younger.age_s for older, younger in pairwise(cohorts))


@given(st.floats(10, 1_000), st.lists(st.integers(50, 500), min_size=3, max_size=30))
def test_mean_visit_time_is_recovered_from_the_cohorts(mean_s: float, counts: list[int]) -> None:
    cohorts = [Cohort(10.0 * (len(counts) - index), count) for index, count in enumerate(counts)]
    inside = round(sum(cohort.count * still_there(cohort.age_s, mean_s) for cohort in cohorts))
    found = estimate_occupancy(cohorts, inside)
    if found is not None and inside > 20:
        expected = sum(cohort.count * still_there(cohort.age_s, found.usual.mean_s) for cohort in cohorts)
        assert expected == pytest.approx(inside, abs=1)
        assert found.count == pytest.approx(inside)


def test_people_with_a_slot_are_conserved() -> None:
    found = estimate_occupancy([Cohort(60, 200)], 120)
    assert found is not None
    gone = [found.advance(5.0) for _ in range(1_000)]
    assert sum(gone) == pytest.approx(120)
    assert found.count == pytest.approx(0, abs=1e-3)
    found.add(30, ago_s=3.0)
    assert found.count == pytest.approx(30)


def test_occupancy_is_estimated_only_after_five_visits_have_ended() -> None:
    assert estimate_occupancy([Cohort(30, 100)], 96) is None
    assert estimate_occupancy([Cohort(30, 100)], 95) is not None
    assert estimate_occupancy([], 0) is None


def test_projection_calls_as_many_people_as_the_limit_allows() -> None:
    flow = RoomFlow(now_s=NOW_S, opened_s=NOW_S - 1_000, joined=9_000, called=1_000, completed=700, called_lately=EVEN)
    projection = project_calls(
        flow, AdmissionCaps(slots_taken=300, total_active_users=100_000, new_users_per_minute=100)
    )
    at = dict(zip(projection.times_s, projection.called, strict=True))
    windows = [called for time_s, called in at.items() if round(time_s / WINDOW_S, 6) % 1 == 0 and time_s <= 600]
    assert [round(after - before) for before, after in pairwise(windows)] == [100] * 9


def test_no_person_is_called_after_the_limit_falls_until_slots_are_free() -> None:
    """150 slots are taken but only 75 are now allowed, so half of the visits must end first."""
    flow = RoomFlow(now_s=NOW_S, opened_s=NOW_S - 1_000, joined=9_000, called=1_000, completed=850, called_lately=EVEN)
    projection = project_calls(flow, AdmissionCaps(slots_taken=150, total_active_users=75, new_users_per_minute=6_000))
    first = projection.seconds_until_called(1)
    assert first is not None
    # At first, one visit ends per second; fewer end as fewer slots are taken.
    assert 75 < first < 150


def test_many_simultaneous_departures_do_not_speed_up_the_queue_forever() -> None:
    calm = RoomFlow(now_s=NOW_S + 1, opened_s=NOW_S, joined=900, called=100, called_lately=(0,) * (SLICES - 1) + (100,))
    fled = replace(calm, joined=1_700, left=800, gone_lately=(0,) * (SLICES - 1) + (800,))
    caps = AdmissionCaps(slots_taken=100, total_active_users=100_000, new_users_per_minute=100)
    waits = [project_calls(flow, caps).seconds_until_called(700) for flow in (calm, fled)]
    assert waits[0] is not None
    assert waits[1] is not None
    assert waits[0] / 20 < waits[1] < waits[0]
