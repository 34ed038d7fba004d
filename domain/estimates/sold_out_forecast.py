"""Forecasts whether stock will be left for a person in the queue: SOLD_OUT if very probably not.

SOLD_OUT means that nothing is free now, or that the people ahead will take everything that is free
or held, in every tier and in 98 of 100 cases, if they buy as much as the people called in this
round. A person who is called just as a hold is released may still get a ticket. A `SoldOutForecast`
contains the number of people ahead from which this applies. It is built once per state; each person
then costs one comparison.
"""

from dataclasses import dataclass
from math import exp, inf, sqrt

from domain.estimates.queue_rates import measure_rates
from domain.estimates.room_flow import SLICE_S, RoomFlow
from domain.stock import Stock, StockAhead, TierStock

FEWEST_BUYERS = 30
"""The number of passes that must be spent in this round before they count as typical of the people
ahead.
"""
CERTAINTY_SIGMAS = 2.054
"""98 of 100 values of a normal distribution lie below this many standard deviations above the
mean.
"""
DRIFT = 0.2
"""The relative difference allowed between the demand of the people ahead and that of the people
before them.
"""
BASKET_SPREAD = 1.6
"""Mean square of the tickets per order, divided by the squared mean.

Orders of one to four tickets have 1.2.
"""


MIN_LEAVE_EXPONENT, MAX_LEAVE_EXPONENT = 1e-9, 30.0
"""Limits of the exponent, which is leavers per call times calls."""


@dataclass(frozen=True, slots=True)
class SoldOutForecast:
    sold_out_from: float
    """If this many people or more are ahead, no stock is left."""

    def stock_ahead(self, ahead: int) -> StockAhead:
        return StockAhead.SOLD_OUT if ahead >= self.sold_out_from else StockAhead.AVAILABLE


def forecast_sold_out(stock: Stock, flow: RoomFlow) -> SoldOutForecast:
    if stock.is_sold_out:
        return SoldOutForecast(0)
    return SoldOutForecast(_ahead_of(_buyers_for(stock, flow), flow))


def forecast_stock_ahead(stock: Stock, ahead: int, flow: RoomFlow) -> StockAhead:
    """Return the forecast for one person; for many people, call `forecast_sold_out` once."""
    return forecast_sold_out(stock, flow).stock_ahead(ahead)


def _buyers_for(stock: Stock, flow: RoomFlow) -> float:
    """Return how many people must be called before all free and held stock is almost certainly
    taken.
    """
    sold = sum(tier.sold for tier in stock.tiers)
    if flow.completed < FEWEST_BUYERS or sold == 0:
        return inf
    return max(_buyers_for_tier(tier, tier.sold / sold, flow) for tier in stock.tiers)


def _buyers_for_tier(tier: TierStock, share: float, flow: RoomFlow) -> float:
    """Return the number of people whose demand exceeds the stock of the tier by `CERTAINTY_SIGMAS`
    standard deviations.

    It assumes that people do not switch to another tier.
    """
    left = tier.available + tier.held
    if left <= 0:
        return 0.0
    # A person who is still inside counts as having bought nothing; a pass counts as one ticket if
    # tickets were not counted.
    tickets, called = max(flow.tickets, flow.completed), max(flow.called, flow.completed)
    mean = share * tickets / called
    basket = tickets / flow.completed
    variance = mean * basket * BASKET_SPREAD
    variance_of_mean = variance / called + (DRIFT * mean) ** 2
    # people x mean - left = CERTAINTY_SIGMAS x sqrt(people x variance + people^2 x
    # variance_of_mean), squared.
    a = mean**2 - CERTAINTY_SIGMAS**2 * variance_of_mean
    if a <= 0:
        return inf
    half_b = left * mean + CERTAINTY_SIGMAS**2 * variance / 2
    return (half_b + sqrt(half_b**2 - a * left**2)) / a


def _ahead_of(called: float, flow: RoomFlow) -> float:
    """Return how many people ahead result in `called` calls, if people leave at the recent rate."""
    moved = sum(flow.called_lately)
    if not moved or called == inf:
        return inf
    # Everyone who left is counted as having left the queue.
    gone_rate = measure_rates(flow, slots_taken=flow.called).gone_rate
    by_call = gone_rate * len(flow.called_lately) * SLICE_S / moved
    exponent = by_call * called
    if exponent < MIN_LEAVE_EXPONENT:
        return called
    return (exp(exponent) - 1) / by_call if exponent < MAX_LEAVE_EXPONENT else inf
