"""Forecasts whether tickets will be left for a person in the queue.

The forecast is SOLD_OUT if no tickets are free now, or if the people ahead will take all free and
held tickets of every tier with a probability of 98%. They are assumed to buy as much as the people
called so far in this round. A person who is called just as a hold is released may still get a
ticket. A `SoldOutForecast` contains the lowest number of people ahead for which this is true. It is
built once per version of the stock and the queue, so each person costs only one comparison.
"""

from dataclasses import dataclass
from math import exp, inf, sqrt

from domain.estimates.queue_rates import measure_rates
from domain.estimates.room_flow import SLICE_S, RoomFlow
from domain.stock import Stock, StockAhead, TierStock

MIN_BUYERS = 30
"""The number of passes that must be spent in this round before their buyers are considered typical
of the people ahead.
"""
CERTAINTY_SIGMAS = 2.054
"""98% of the values in a normal distribution lie below this many standard deviations above the
mean.
"""
DRIFT = 0.2
"""The assumed difference in demand between the people ahead and the people before them,
as a standard deviation relative to the mean.
"""
BASKET_SPREAD = 1.6
"""The mean square of the tickets per order, divided by the squared mean.

It is 1.2 if orders of one to four tickets are equally common.
"""
MIN_LEAVE_EXPONENT, MAX_LEAVE_EXPONENT = 1e-9, 30.0
"""The limits of the exponent: the number of people who leave per call, times the number of calls.
"""


@dataclass(frozen=True, slots=True)
class SoldOutForecast:
    sold_out_from: float
    """The lowest number of people ahead for which the forecast is SOLD_OUT."""

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
    if flow.completed < MIN_BUYERS or sold == 0:
        return inf
    return max(_buyers_for_tier(tier, tier.sold / sold, flow) for tier in stock.tiers)


def _buyers_for_tier(tier: TierStock, share: float, flow: RoomFlow) -> float:
    """Return the number of people whose demand exceeds the stock of the tier by `CERTAINTY_SIGMAS`
    standard deviations.

    Assumes that people do not switch to another tier.
    """
    left = tier.remaining
    if left <= 0:
        return 0.0
    # People who are still inside count as buying nothing. Each spent pass counts as at least one
    # ticket, because tickets may not have been counted.
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
    """Return how many people must be ahead for `called` of them to be called, if people leave at
    the recent rate.
    """
    moved = sum(flow.called_lately)
    if not moved or called == inf:
        return inf
    # All people who left count as having left before they were called.
    gone_rate = measure_rates(flow, slots_taken=flow.called).gone_rate
    by_call = gone_rate * len(flow.called_lately) * SLICE_S / moved
    exponent = by_call * called
    if exponent < MIN_LEAVE_EXPONENT:
        return called
    return (exp(exponent) - 1) / by_call if exponent < MAX_LEAVE_EXPONENT else inf
