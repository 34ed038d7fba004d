"""Estimates from arbitrary flows, including counts that no store could have produced."""

import math

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.estimates.room_flow import SLICES, RoomFlow
from domain.estimates.sold_out_forecast import forecast_sold_out
from domain.estimates.wait_estimates import build_wait_table
from domain.ids import TierId
from domain.money import CurrencyCode
from domain.stock import Stock, TierStock

MAX_COUNT = 2_000_000
DAY_S = 86_400
TOTALS = ("joined", "called", "claimed", "completed", "tickets", "left", "absent", "not_claimed", "session_over")

any_flow_settings = settings(deadline=None, suppress_health_check=list(HealthCheck))
counts = st.integers(0, MAX_COUNT) | st.integers(0, 3)
slices = st.tuples(*[st.integers(0, 5) | st.integers(0, 200_000)] * SLICES) | st.just((0,) * SLICES)


@st.composite
def flows(draw: st.DrawFn) -> RoomFlow:
    now_s = draw(st.floats(1.6e9, 2e9) | st.sampled_from([1.7e9, 1_700_000_005.0, 1_700_000_009.999]))
    open_for_s = draw(st.none() | st.sampled_from([0.0, 0.001, 1, 10, 100, 86_400, 1e7, -5]))
    return RoomFlow(
        now_s=now_s,
        opened_s=None if open_for_s is None else now_s - open_for_s,
        **{name: draw(counts) for name in TOTALS},
        joined_lately=draw(slices),
        called_lately=draw(slices),
        gone_lately=draw(slices),
    )


@any_flow_settings
@given(flows(), st.integers(0, MAX_COUNT), st.integers(1, 1_000_000), st.integers(1, 1_000_000), st.data())
def test_wait_estimates_for_any_flow_rise_with_the_position(
    flow: RoomFlow, taken: int, active: int, per_minute: int, data: st.DataObject
) -> None:
    table = build_wait_table(flow, slots_taken=taken, total_active_users=active, new_users_per_minute=per_minute)
    ahead = (0, 0)
    for position in sorted(data.draw(st.lists(st.integers(1, MAX_COUNT), min_size=2, max_size=6))):
        estimate = table.estimate(position)
        if estimate is None:
            # If a position has no estimate, no position behind it may have one.
            ahead = (DAY_S + 1, DAY_S + 1)
            continue
        assert 0 <= estimate.p50_s <= estimate.p90_s <= DAY_S, estimate
        assert estimate.p50_s >= ahead[0], (estimate, ahead)
        assert estimate.p90_s >= ahead[1], (estimate, ahead)
        ahead = (estimate.p50_s, estimate.p90_s)


@any_flow_settings
@given(
    flows(),
    st.lists(
        st.tuples(st.integers(0, 200_000), st.integers(0, 200_000), st.integers(0, 200_000)), min_size=1, max_size=5
    ),
)
def test_sold_out_forecast_for_any_flow_is_never_negative(flow: RoomFlow, tiers: list[tuple[int, int, int]]) -> None:
    stock = Stock(
        epoch=1,
        version=1,
        tiers=tuple(
            TierStock(TierId(f"t-{i}"), capacity=free + held + sold, held=held, sold=sold, price_minor=0)
            for i, (free, held, sold) in enumerate(tiers)
        ),
        currency=CurrencyCode.EUR,
    )
    forecast = forecast_sold_out(stock, flow)
    assert not math.isnan(forecast.sold_out_from)
    assert forecast.sold_out_from >= 0
