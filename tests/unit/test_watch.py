"""`make watch` shows the latest state of a sale."""

from pathlib import Path
from typing import Any

import pytest
from graphql import build_schema, parse, validate

from bench import watch
from bench.watch import LiveSale, NothingToWatch, draw_bars, draw_line, main

SDL = Path(__file__).parents[2] / "schema" / "schema.graphql"
ROOM = {
    "suspended": False,
    "waitingCount": 1_200,
    "servingNumber": 340,
    "slotsTaken": 99,
    "totalActiveUsers": 100,
    "newUsersPerMinute": 400,
    "passesIssued": 300,
}


def stock(version: int, *sold: int, epoch: int = 1) -> dict[str, Any]:
    tiers = [
        {"tierId": f"t{index}", "capacity": 100, "available": 90 - count, "held": 10, "sold": count}
        for index, count in enumerate(sold)
    ]
    return {"version": version, "epoch": epoch, "tiers": tiers}


def sale() -> LiveSale:
    made = LiveSale("The Rush", {"t0": "Front", "t1": "Rear"}, room=ROOM)
    made.show_stock(stock(1, 10, 40), 100.0)
    return made


def test_sales_queue_and_stock_are_shown() -> None:
    shown = sale()
    shown.show_stock(stock(2, 20, 50), 104.0)
    assert draw_bars(shown, 105.0) == [
        "The Rush",
        "sold  [##############..........................] 70 of 200, 2.0/s",
        "queue 1,200 waiting, number 340 served, 99 of 100 inside, 300 passes claimed",
        "Front  70 left, 10 held, 20 sold of 100",
        "Rear   40 left, 10 held, 50 sold of 100",
    ]
    assert draw_line(shown) == (
        "sold 70 of 200 | 1,200 waiting, number 340 served, 99 of 100 inside, 300 passes claimed | "
        "Front 70 left, 10 held, 20 sold of 100; Rear 40 left, 10 held, 50 sold of 100"
    )


def test_older_stock_is_ignored_unless_the_epoch_is_new() -> None:
    shown = sale()
    shown.show_stock(stock(1, 90, 90), 101.0)
    assert shown.sold == 50
    shown.show_stock(stock(0, 30, 30, epoch=2), 102.0)
    assert shown.sold == 60


@pytest.mark.parametrize("document", [watch.CONCERT, watch.ROOM, watch.STOCK])
def test_watch_documents_are_valid(document: str) -> None:
    assert validate(build_schema(SDL.read_text()), parse(document)) == []


@pytest.mark.parametrize(
    ("end", "code", "printed"),
    [
        (NothingToWatch("no concert 'rush'"), 2, "no concert 'rush'\n"),
        (KeyboardInterrupt(), 0, ""),
    ],
)
def test_exit_code_is_2_only_if_there_is_no_sale_to_watch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], end: BaseException, code: int, printed: str
) -> None:
    asked = []

    async def fail(url: str, slug: str) -> None:
        asked.append((url, slug))
        raise end

    monkeypatch.setattr(watch, "watch", fail)
    assert main(["rush", "--url", "http://localhost:8000/"]) == code
    assert asked == [("http://localhost:8000", "rush")]
    assert capsys.readouterr().err == printed


def test_error_names_the_server_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(watch, "FIND_WITHIN_S", 0.0)
    assert main(["rush", "--url", "http://127.0.0.1:1"]) == 2
    assert "http://127.0.0.1:1 does not answer; start it with `make run`" in capsys.readouterr().err
