"""`make watch` shows the newest state, in one picture on a terminal and in plain lines anywhere else."""

import io
from pathlib import Path
from typing import Any

import pytest
from graphql import build_schema, parse, validate

from bench import watch
from bench.watch import LiveSale, NothingToWatch, Screen, main, picture, plain

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
        {"tierId": f"t{index}", "capacity": 100, "available": 90 - many, "held": 10, "sold": many}
        for index, many in enumerate(sold)
    ]
    return {"version": version, "epoch": epoch, "tiers": tiers}


def sale() -> LiveSale:
    made = LiveSale("The Rush", {"t0": "Front", "t1": "Rear"}, room=ROOM)
    made.show_stock(stock(1, 10, 40), 100.0)
    return made


def test_the_picture_has_sales_line_and_stock() -> None:
    shown = sale()
    shown.show_stock(stock(2, 20, 50), 104.0)
    assert picture(shown, 105.0) == [
        "The Rush",
        "sold  [##############..........................] 70 of 200, 2.0/s",
        "line  1,200 waiting, number 340 served, 99 of 100 inside, 300 passes claimed",
        "Front  70 left, 10 held, 20 sold of 100",
        "Rear   40 left, 10 held, 50 sold of 100",
    ]


def test_a_plain_line_has_the_same() -> None:
    assert plain(sale()) == (
        "sold 50 of 200 | 1,200 waiting, number 340 served, 99 of 100 inside, 300 passes claimed | "
        "Front 80 left, 10 held, 10 sold of 100; Rear 50 left, 10 held, 40 sold of 100"
    )


def test_a_room_that_is_off_says_so() -> None:
    shown = sale()
    shown.room = {"suspended": True}
    assert "no waiting room, everybody may hold" in plain(shown)


def test_what_is_older_is_forgotten_and_a_new_epoch_is_taken() -> None:
    shown = sale()
    shown.show_stock(stock(1, 90, 90), 101.0)
    assert shown.sold == 50
    shown.show_stock(stock(0, 30, 30, epoch=2), 102.0)
    assert shown.sold == 60


def test_the_pace_is_that_of_the_last_seconds() -> None:
    shown = sale()
    shown.show_stock(stock(2, 30, 40), 105.0)
    assert shown.pace(105.0) == 2.0
    assert shown.pace(120.0) == 0.0


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_one_picture_that_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    screen = Screen()
    screen.show(sale(), 101.0)
    assert terminal.getvalue().count("\n") == 5
    screen.show(sale(), 101.0)
    assert "\x1b[5A" in terminal.getvalue()


def test_anything_else_gets_a_line_when_something_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    screen, shown = Screen(), sale()
    screen.show(shown, 101.0)
    screen.show(shown, 102.0)
    shown.show_stock(stock(2, 11, 40), 103.0)
    screen.show(shown, 103.0)
    assert [line.partition(" |")[0] for line in out.getvalue().splitlines()] == ["sold 50 of 200", "sold 51 of 200"]
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize(
    ("end", "code", "told"), [(NothingToWatch("nothing here"), 2, "nothing here\n"), (KeyboardInterrupt(), 0, "")]
)
def test_it_ends_cleanly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], end: BaseException, code: int, told: str
) -> None:
    asked: list[tuple[str, str]] = []

    async def end_at_once(url: str, slug: str) -> None:
        asked.append((url, slug))
        raise end

    monkeypatch.setattr(watch, "watch", end_at_once)
    assert main(["the-rush", "--url", "http://shop.test/"]) == code
    assert asked == [("http://shop.test", "the-rush")]
    assert capsys.readouterr().err == told


@pytest.mark.parametrize("document", [watch.CONCERT, watch.ROOM, watch.STOCK])
def test_a_document_is_valid(document: str) -> None:
    assert validate(build_schema(SDL.read_text()), parse(document)) == []
