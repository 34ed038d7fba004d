"""The rules of the shop's waiting room and ticket choice, which need no browser."""

from pathlib import Path

import orjson

from tests.support.node import installed, output_of

FRONTEND = Path(__file__).parents[2] / "frontend"
# Runs a module of a page, compiled as the build compiles it. It imports nothing but types.
PROGRAM = """
import { readFileSync } from "node:fs";
import { transformWithEsbuild } from "vite";

const store = () => {
  const values = new Map();
  return {
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => values.set(key, value),
    removeItem: (key) => values.delete(key),
  };
};
globalThis.localStorage = store();
globalThis.sessionStorage = store();
const [path, expression] = process.argv.slice(1);
const { code } = await transformWithEsbuild(readFileSync(`src/pages/${path}`, "utf8"), path);
const module = await import(`data:text/javascript,${encodeURIComponent(code)}`);
console.log(JSON.stringify(new Function(...Object.keys(module), `return ${expression}`)(...Object.values(module))));
"""


async def evaluate(path: str, expression: str) -> object:
    """Return what the expression gives, with the exports of the module as its names."""
    directory = await installed(FRONTEND, for_what="the rules of the shop's pages were not checked")
    printed = await output_of("node", "--input-type=module", "--eval", PROGRAM, path, expression, directory=directory)
    return orjson.loads(printed)


async def test_band_is_never_narrower_than_the_estimate() -> None:
    wrong = await evaluate(
        "queueEntry/waitBand.ts",
        """Array.from({ length: 4000 }, (_, i) => ({ p50Seconds: i * 7, p90Seconds: Math.ceil(i * 7 * 1.4) + 3 }))
          .filter((estimate) => {
            const { unit, from, to } = bandOf(estimate);
            const seconds = unit === "hours" ? 3600 : 60;
            const isWide = from * seconds <= Math.max(estimate.p50Seconds, 60) && to * seconds >= estimate.p90Seconds;
            return !isWide || from > to;
          })""",
    )
    assert wrong == []


async def test_band_uses_minutes_and_then_half_hours() -> None:
    bands = await evaluate(
        "queueEntry/waitBand.ts",
        """[[20, 50], [240, 500], [1500, 1900], [6000, 9500]]
          .map(([p50Seconds, p90Seconds]) => bandOf({ p50Seconds, p90Seconds }))""",
    )
    assert bands == [
        {"unit": "soon", "from": 0, "to": 1},
        {"unit": "minutes", "from": 4, "to": 9},
        {"unit": "minutes", "from": 25, "to": 35},
        {"unit": "hours", "from": 1.5, "to": 3},
    ]


async def test_position_is_told_every_half_minute_or_with_fewer_digits() -> None:
    told = await evaluate(
        "queueEntry/telling.ts",
        """[[null, 40, 0], [{ position: 40, at: 0 }, 40, 60000], [{ position: 40, at: 0 }, 39, 29999],
          [{ position: 40, at: 0 }, 39, 30000], [{ position: 10, at: 0 }, 9, 1]]
          .map(([before, position, now]) => isWorthTelling(before, position, now))""",
    )
    assert told == [True, False, False, True, True]


async def test_pasted_name_and_address_lose_marks_and_outer_spaces() -> None:
    cleaned = await evaluate(
        "hold/customer.ts",
        r"""[
          clean({ name: "\u200e Zoë\u202e \t\r\nDemo\ufeff ", email: " <zoe@example.com>\u200b " }),
          clean({ name: "Zoe\u0308", email: "mailto:zoe@example.com" }),
          clean({ name: "\u0645\u06cc\u200c\u062e", email: "Zoë Demo <zoe@example.com>" }),
        ]""",
    )
    assert cleaned == [
        {"name": "Zoë Demo", "email": "zoe@example.com"},
        {"name": "Zoë", "email": "zoe@example.com"},
        {"name": "\u0645\u06cc\u200c\u062e", "email": "zoe@example.com"},
    ]


async def test_each_field_of_a_wrong_customer_has_a_rule() -> None:
    rules = await evaluate(
        "hold/customer.ts",
        """[["", ""], ["x".repeat(201), "a@b"], ["\\u0301", "a b@example.com"], ["Ann", "ann@example.com"]]
          .map(([name, email]) => problemsOf({ name, email }))""",
    )
    assert rules == [
        {"name": "EMPTY", "email": "EMPTY"},
        {"name": "TOO_LONG", "email": "INVALID_FORMAT"},
        {"name": "INVISIBLE", "email": "INVALID_FORMAT"},
        {},
    ]


PRICE = '{ amount: "48.50", minor: 4850, currency: "EUR" }'
TIER = f'({{ id: "a", available: 5, minPerOrder: 2, maxPerOrder: 4, price: {PRICE} }})'


async def test_step_goes_over_numbers_that_cannot_be_ordered() -> None:
    steps = await evaluate(
        "hold/choice.ts",
        f"""(() => {{
          const bounds = boundsOf({TIER}, {{}}, {{ limitPerOrder: 6, mine: {{}} }});
          return [stepped(0, 1, bounds), stepped(2, -1, bounds), stepped(4, 1, bounds), clamped(99, bounds),
            clamped(1, bounds), clamped(-3, bounds), clamped(NaN, bounds)];
        }})()""",
    )
    assert steps == [2, 0, 4, 4, 2, 0, 0]


async def test_own_held_tickets_are_free_for_their_holder() -> None:
    bounds = await evaluate(
        "hold/choice.ts",
        f"""[boundsOf({{ ...{TIER}, available: 0 }}, {{}}, {{ limitPerOrder: 6, mine: {{}} }}),
          boundsOf({{ ...{TIER}, available: 0 }}, {{}}, {{ limitPerOrder: 6, mine: {{ a: 3 }} }}),
          boundsOf({TIER}, {{ b: 3 }}, {{ limitPerOrder: 6, mine: {{}} }})]""",
    )
    assert bounds == [
        {"min": 2, "max": 0, "limit": "available"},
        {"min": 2, "max": 3, "limit": "available"},
        {"min": 2, "max": 3, "limit": "order"},
    ]


async def test_total_has_the_digits_of_its_currency() -> None:
    amounts = await evaluate(
        "hold/choice.ts",
        f"""[totalOf({{ a: 3 }}, [{TIER}]).amount, amountOf(5, "1.00"), amountOf(14000, "14000"),
          amountOf(1500, "0.500")]""",
    )
    assert amounts == ["145.50", "0.05", "14000", "1.500"]


async def test_same_attempt_has_the_same_key_until_it_is_forgotten() -> None:
    same = await evaluate(
        "hold/attempts.ts",
        """(() => {
          const first = holdAttempts.keyOf("concert", "2 a");
          const again = holdAttempts.keyOf("concert", "2 a");
          const elsewhere = holdAttempts.keyOf("another", "2 a");
          const other = holdAttempts.keyOf("concert", "3 a");
          holdAttempts.forget("another");
          const later = holdAttempts.keyOf("another", "2 a");
          return [first === again, first === elsewhere, again === other, elsewhere === later];
        })()""",
    )
    assert same == [True, False, False, False]


async def test_damaged_attempt_is_replaced() -> None:
    keys = await evaluate(
        "hold/attempts.ts",
        """(localStorage.setItem("onsale.attempt.hold.concert", "{"), holdAttempts.keyOf("concert", "2 a").length)""",
    )
    assert keys == 36
