"""Whether anything will be left for somebody in line: SOLD_OUT only where it is very improbable.

Either nothing is free now; or the people ahead, if they take what the called ones of this round took, take all that is
free or held, tier by tier, 98 times in a hundred. Who comes just when a hold is given back finds a ticket all the same.
An `Outlook` is the number of people ahead from which on that is so: made once per state, one comparison a person.
"""

from dataclasses import dataclass
from math import exp, inf, sqrt

from domain.flow import SLICE_S, Flow
from domain.measured import measure
from domain.stock import Stock, StockAhead, TierStock

FEWEST_BUYERS = 30
"""Passes spent in this round before their like is taken for the people ahead."""
SURE = 2.054
"""Standard deviations of a normal law below which 98 of 100 stay."""
DRIFT = 0.2
"""How far, as a share, the demand of people ahead may be from that of the people before them."""
BASKET_SPREAD = 1.6
"""Mean square of an order's tickets by the square of their mean; orders of one to four tickets have 1.2."""


NOBODY_LEAVES, EVERYBODY_LEAVES = 1e-9, 30.0
"""Leavers a call, times calls."""


@dataclass(frozen=True, slots=True)
class Outlook:
    sold_out_behind: float
    """So many people ahead, and more, leave nothing."""

    def behind(self, ahead: int) -> StockAhead:
        return StockAhead.SOLD_OUT if ahead >= self.sold_out_behind else StockAhead.AVAILABLE


def outlook_of(stock: Stock, flow: Flow) -> Outlook:
    if stock.is_sold_out:
        return Outlook(0)
    return Outlook(_ahead_of(_buyers_for(stock, flow), flow))


def stock_ahead(stock: Stock, ahead: int, flow: Flow) -> StockAhead:
    """For one person with so many ahead; for many, ask one `outlook_of`."""
    return outlook_of(stock, flow).behind(ahead)


def _buyers_for(stock: Stock, flow: Flow) -> float:
    """How many people must be called to take all that is free or held, whatever happens."""
    sold = sum(tier.sold for tier in stock.tiers)
    if flow.completed < FEWEST_BUYERS or sold == 0:
        return inf
    return max(_buyers_for_tier(tier, tier.sold / sold, flow) for tier in stock.tiers)


def _buyers_for_tier(tier: TierStock, share: float, flow: Flow) -> float:
    """The number whose demand is `SURE` deviations above what there is. Nobody is thought to take another tier."""
    left = tier.available + tier.held
    if left <= 0:
        return 0.0
    # Who is still inside counts as somebody who bought nothing, and a pass as one ticket if tickets were not counted.
    tickets, called = max(flow.tickets, flow.completed), max(flow.called, flow.completed)
    mean = share * tickets / called
    basket = tickets / flow.completed
    variance = mean * basket * BASKET_SPREAD
    doubt = variance / called + (DRIFT * mean) ** 2
    # people x mean - left = SURE x sqrt(people x variance + people^2 x doubt), squared.
    a = mean**2 - SURE**2 * doubt
    if a <= 0:
        return inf
    half_b = left * mean + SURE**2 * variance / 2
    return (half_b + sqrt(half_b**2 - a * left**2)) / a


def _ahead_of(called: float, flow: Flow) -> float:
    """How many must stand ahead for so many of them to be called, if people leave the line as they did lately."""
    moved = sum(flow.called_lately)
    if not moved or called == inf:
        return inf
    # Everybody who left counts as somebody who left the line.
    gone_rate = measure(flow, slots_taken=flow.called).gone_rate
    by_call = gone_rate * len(flow.called_lately) * SLICE_S / moved
    exponent = by_call * called
    if exponent < NOBODY_LEAVES:
        return called
    return (exp(exponent) - 1) / by_call if exponent < EVERYBODY_LEAVES else inf
