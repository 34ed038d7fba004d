"""The rules of the order and ticket pages that are functions of their data."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from tests.support.node import installed, output_of

FRONTEND = Path(__file__).parents[2] / "frontend"
# Runs a function of one of the pages' modules.
PROGRAM = """
import { readFileSync } from "node:fs";
import { transformWithEsbuild } from "vite";

const { path, name, values } = JSON.parse(process.argv[1]);
const { code } = await transformWithEsbuild(readFileSync(`src/pages/${path}`, "utf8"), path);
const module = await import(`data:text/javascript,${encodeURIComponent(code)}`);
console.log(JSON.stringify(values.map((value) => module[name](...value))));
"""
NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000


async def results_of(path: str, name: str, *values: Sequence[object]) -> list[Any]:
    """Return what the function returns for each list of arguments."""
    directory = await installed(FRONTEND, for_what="the functions of the shop were not tried")
    arguments = orjson.dumps({"path": path, "name": name, "values": values}).decode()
    printed = await output_of("node", "--input-type=module", "--eval", PROGRAM, arguments, directory=directory)
    found: list[Any] = orjson.loads(printed)
    return found


async def test_status_that_is_being_canceled_has_a_name_of_its_own() -> None:
    requested = "2026-12-01T10:00:00Z"
    found = await results_of(
        "order/status.ts",
        "shownStatus",
        [{"status": "PENDING_PAYMENT", "cancelRequestedAt": None}],
        [{"status": "PENDING_PAYMENT", "cancelRequestedAt": requested}],
        [{"status": "PAID", "cancelRequestedAt": requested}],
        [{"status": "A_NEW_STATUS", "cancelRequestedAt": None}],
        [{"status": "CANCELING", "cancelRequestedAt": None}],
    )
    assert found == ["PENDING_PAYMENT", "CANCELING", "PAID", "unknown", "CANCELING"]


async def test_amount_keeps_the_decimals_of_its_currency() -> None:
    euro = {"amount": "49.50", "minor": 4950, "currency": "EUR"}
    yen = {"amount": "5000", "minor": 5000, "currency": "JPY"}
    dinar = {"amount": "4.500", "minor": 4500, "currency": "KWD"}
    found = await results_of("order/money.ts", "moneyOf", [9900, euro], [5, euro], [0, euro], [12, yen], [1001, dinar])
    assert [money["amount"] for money in found] == ["99.00", "0.05", "0.00", "12", "1.001"]
    assert [money["currency"] for money in found] == ["EUR", "EUR", "EUR", "JPY", "KWD"]


async def test_decline_is_explained_by_its_code() -> None:
    keys = {
        "insufficient_funds": "decline.insufficient_funds",
        "stolen_card": "decline.lost_card",
        "generic_decline": "decline.default",
        "a_new_code": None,
        "constructor": None,
    }
    assert await results_of("order/payment.ts", "declineKey", *([code] for code in keys)) == list(keys.values())


async def test_next_concert_comes_first_and_past_ones_last() -> None:
    def ticket(name: str, concert: str | None, hours: float = 0) -> dict[str, object]:
        found = {"id": concert, "startsAt": _moment(hours)} if concert else None
        return {"name": name, "concert": found}

    tickets = [
        ticket("unknown", None),
        ticket("later", "b", 48),
        ticket("next", "a", 2),
        ticket("later too", "b", 48),
        ticket("running", "c", -7),
        ticket("over", "d", -9),
        ticket("long over", "e", -900),
    ]
    [found] = await results_of("tickets/groups.ts", "groupTickets", [tickets, NOW_MS])
    names = {part: [[one["name"] for one in group["tickets"]] for group in found[part]] for part in found}
    assert names == {
        "upcoming": [["running"], ["next"], ["later", "later too"], ["unknown"]],
        "past": [["over"], ["long over"]],
    }


def _moment(hours: float) -> str:
    return datetime.fromtimestamp((NOW_MS + hours * HOUR_MS) / 1000, UTC).isoformat()
