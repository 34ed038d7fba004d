"""SOLD_OUT is forecast if no ticket is available, or if almost certainly none will be left.

The probability is computed from earlier sales.
"""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from domain.estimates.room_flow import SLICES, RoomFlow
from domain.estimates.sold_out_forecast import MIN_BUYERS, forecast_sold_out, forecast_stock_ahead
from domain.ids import TierId
from domain.money import CurrencyCode
from domain.stock import Stock, StockAhead, TierStock

NOW_S = 1_700_000_000.0


def stock(*tiers: tuple[int, int, int]) -> Stock:
    """Build a stock from tiers of (available, held, sold)."""
    return Stock(
        epoch=1,
        version=1,
        tiers=tuple(
            TierStock(TierId(f"c-{number}"), available + held + sold, held, sold, 0)
            for number, (available, held, sold) in enumerate(tiers, start=1)
        ),
        currency=CurrencyCode.EUR,
    )


def flow(*, called: int = 400, completed: int = 200, tickets: int = 500, gone: int = 0) -> RoomFlow:
    return RoomFlow(
        now_s=NOW_S,
        opened_s=NOW_S - 600,
        joined=5_000,
        called=called,
        completed=completed,
        tickets=tickets,
        left=gone,
        called_lately=(10,) * SLICES,
        gone_lately=(gone // SLICES,) * SLICES,
    )


def fewest_ahead_sold_out(stock: Stock, flow: RoomFlow) -> int:
    """Return the smallest number of people ahead for which SOLD_OUT is forecast."""
    return next(ahead for ahead in range(100_000) if forecast_stock_ahead(stock, ahead, flow) is StockAhead.SOLD_OUT)


def test_no_available_tickets_means_sold_out_even_for_the_first_person() -> None:
    assert forecast_stock_ahead(stock((0, 5, 100), (0, 0, 50)), 0, flow()) is StockAhead.SOLD_OUT


def test_tickets_are_available_again_once_stock_returns() -> None:
    assert forecast_stock_ahead(stock((0, 5, 100)), 0, flow()) is StockAhead.SOLD_OUT
    assert forecast_stock_ahead(stock((2, 3, 100)), 0, flow()) is StockAhead.AVAILABLE


def test_demand_far_beyond_the_stock_means_sold_out() -> None:
    """The 400 people called bought 500 tickets, so 200 tickets last for 160 people on average."""
    left = stock((150, 50, 500))
    assert forecast_stock_ahead(left, 160, flow()) is StockAhead.AVAILABLE
    assert forecast_stock_ahead(left, 350, flow()) is StockAhead.SOLD_OUT
    assert fewest_ahead_sold_out(left, flow()) == 317


def test_too_few_sales_give_no_forecast() -> None:
    few = flow(called=40, completed=MIN_BUYERS - 1, tickets=100)
    assert forecast_stock_ahead(stock((10, 0, 100)), 100_000, few) is StockAhead.AVAILABLE
    enough = replace(few, completed=MIN_BUYERS)
    assert forecast_stock_ahead(stock((10, 0, 100)), 100_000, enough) is StockAhead.SOLD_OUT


def test_sales_before_this_round_do_not_count_as_demand() -> None:
    """10,000 were sold while the room was off; half of the people called since then bought one."""
    counted = flow(called=400, completed=200, tickets=200)
    assert fewest_ahead_sold_out(stock((100, 0, 10_200)), counted) == fewest_ahead_sold_out(
        stock((100, 0, 200)), counted
    )


def test_completed_pass_counts_as_one_ticket_if_none_were_counted() -> None:
    assert fewest_ahead_sold_out(stock((100, 0, 200)), flow(tickets=0)) == fewest_ahead_sold_out(
        stock((100, 0, 200)), flow(tickets=200)
    )


def test_people_who_leave_the_queue_buy_nothing() -> None:
    assert fewest_ahead_sold_out(stock((150, 50, 500)), flow(gone=310)) > fewest_ahead_sold_out(
        stock((150, 50, 500)), flow()
    )


def test_tier_without_demand_stays_available() -> None:
    assert forecast_stock_ahead(stock((0, 0, 500), (3, 0, 0)), 100_000, flow()) is StockAhead.AVAILABLE


def test_sold_out_tier_does_not_count_as_available() -> None:
    """One sale says little about the demand for a tier, but none of its tickets are left."""
    assert forecast_stock_ahead(stock((0, 0, 1), (100, 0, 500)), 1_000, flow()) is StockAhead.SOLD_OUT
    assert forecast_stock_ahead(stock((1, 0, 1), (100, 0, 500)), 1_000, flow()) is StockAhead.AVAILABLE


def test_queue_that_does_not_move_gives_no_forecast() -> None:
    still = replace(flow(), called_lately=(0,) * SLICES)
    assert forecast_stock_ahead(stock((10, 0, 500)), 100_000, still) is StockAhead.AVAILABLE


@st.composite
def situations(draw: st.DrawFn) -> tuple[Stock, RoomFlow]:
    number = st.integers(0, 3_000)
    tiers = [(draw(number), draw(number), draw(number)) for _ in range(draw(st.integers(1, 4)))]
    called = draw(st.integers(0, 5_000))
    completed = draw(st.integers(0, called))
    made = flow(called=called, completed=completed, tickets=completed * draw(st.integers(0, 10)), gone=draw(number))
    return stock(*tiers), made


@given(situations(), st.integers(0, 50_000), st.integers(0, 50_000))
def test_more_people_ahead_never_improve_the_forecast(made: tuple[Stock, RoomFlow], one: int, other: int) -> None:
    left, counted = made
    forecast = forecast_sold_out(left, counted)
    if forecast.stock_ahead(min(one, other)) is StockAhead.SOLD_OUT:
        assert forecast.stock_ahead(max(one, other)) is StockAhead.SOLD_OUT


@given(situations())
def test_forecast_for_the_first_person_reflects_the_current_stock(made: tuple[Stock, RoomFlow]) -> None:
    left, counted = made
    found = forecast_stock_ahead(left, 0, counted)
    assert found is (StockAhead.SOLD_OUT if left.is_sold_out else StockAhead.AVAILABLE)


@given(situations(), st.integers(0, 50_000), st.integers(1, 50_000))
def test_enough_returned_stock_makes_tickets_available_again(
    made: tuple[Stock, RoomFlow], ahead: int, more: int
) -> None:
    """The tier has more tickets than all the people ahead will buy."""
    _, counted = made
    taken = max(counted.tickets, counted.completed)
    assert forecast_stock_ahead(stock((ahead * max(taken, 1) + more, 0, 10)), ahead, counted) is StockAhead.AVAILABLE
