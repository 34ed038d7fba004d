"""The ledger books every answer once, and its arithmetic can be checked by hand."""

from collections import Counter

import pytest

from bench.sale.ledger import Ledger, QueueLedger, Receipt, Step, TicketLine, percentile, table


def receipt(order_id: str, *quantities: int, total_minor: int = 100) -> Receipt:
    lines = tuple(TicketLine(f"tier-{index}", quantity) for index, quantity in enumerate(quantities))
    return Receipt(order_id, "buyer1", "buyer1@example.com", lines, total_minor)


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, 1.0), (0.01, 1.0), (0.5, 50.0), (0.501, 51.0), (0.99, 99.0), (0.991, 100.0), (1.0, 100.0)],
)
def test_a_percentile_is_the_nearest_rank(share: float, expected: float) -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert percentile(values, share) == expected


def test_a_percentile_of_one_value_is_that_value() -> None:
    assert [percentile([7.0], share) for share in (0.0, 0.5, 0.99, 1.0)] == [7.0] * 4


def test_an_order_told_twice_is_sold_once() -> None:
    ledger = Ledger()
    ledger.book(receipt("a", 2, 1))
    ledger.book(receipt("a", 2, 1))
    ledger.book(receipt("b", 4))
    assert (ledger.sold_units, len(ledger.receipts), ledger.surprises) == (7, 2, [])


def test_an_order_told_differently_the_second_time_is_a_surprise() -> None:
    ledger = Ledger()
    ledger.book(receipt("a", 2))
    ledger.book(receipt("a", 2, total_minor=99))
    assert len(ledger.surprises) == 1
    assert "order a was told as" in ledger.surprises[0]


def test_retries_are_counted_by_step_and_by_reason() -> None:
    ledger = Ledger()
    ledger.retried[Step.HOLD, "connection lost"] += 3
    ledger.retried[Step.BUY, "connection lost"] += 2
    ledger.retried[Step.BUY, "HTTP 503"] += 1
    assert [ledger.retries(step) for step in (Step.LOOK, Step.HOLD, Step.BUY)] == [0, 3, 3]
    assert ledger.retry_reasons() == {"connection lost": 5, "HTTP 503": 1}


def test_the_table_shows_what_was_booked() -> None:
    ledger = Ledger(arrived=1_234, left=1_234)
    ledger.answered_ms[Step.HOLD] += [float(value) for value in range(1, 101)]
    ledger.retried[Step.HOLD, "connection lost"] += 2
    ledger.refused["SOLD_OUT"] += 7
    ledger.line = QueueLedger(
        set(range(1_100)), {1, 2, 3}, {1, 2}, {3}, set(range(50)), 900, Counter({"gone": 4}), 5_000
    )
    ledger.line.most_waiting = 1_050
    ledger.holds |= {"h1": 3, "h2": 1}
    ledger.book(receipt("a", 3))
    assert table(ledger).splitlines() == [
        "step      answered   p50 ms   p99 ms   max ms  retried",
        "hold           100     50.0     99.0    100.0        2",
        "",
        "came        1,234 people",
        "joined      1,100 places, 1,050 waiting at once",
        "called          3 numbers",
        "claimed         2 passes",
        "lapsed          1 calls",
        "left           50 places",
        "pushed      5,000 positions to 900 sockets, 4 of them lost",
        "                4 gone",
        "looked          0 times",
        "held            4 tickets in 2 holds",
        "sold            3 tickets in 1 orders",
        "refused         7 times",
        "                7 SOLD_OUT",
        "retried         2 times",
        "                2 connection lost",
    ]
