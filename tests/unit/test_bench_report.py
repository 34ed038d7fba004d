"""The report renders tables and charts from results alone, between the markers of its page."""

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from bench.report import __main__ as report
from bench.report.charts import BAR_W, Bar, Panel, draw_bars
from bench.report.goals import GOALS, render_goals
from bench.report.page import PageError, fill
from bench.report.sections import render_charts, render_sections
from bench.report.tables import number

SVG = "{http://www.w3.org/2000/svg}"
HEAD = {
    "date": "2026-12-01T09:30Z",
    "commit": "0a1b2c3d",
    "machine": {"cpu": "Model X", "cores": 2, "memory_gib": 23.5, "kernel": "Linux 6.18", "load_before": 0.1},
    "interpreter": {
        "version": "3.11.9",
        "implementation": "CPython",
        "compiler": "GCC 12.2.0",
        "config_args": "--enable-optimizations --with-lto",
        "loop_ms": 48.5,
    },
    "versions": {"uvicorn": "0.54.0"},
    "settings": {"ONSALE_LIMIT_HOLDS_PER_PERSON": "off", "ONSALE_PUSH_TICK_MS": "1"},
    "rounds": 3,
}
DESCRIBED = """\
- Measured 2026-12-01, commit 0a1b2c3d, rounds: 3.
- Machine: Model X, 2 cores, 23.5 GiB, Linux 6.18.
- Interpreter: CPython 3.11.9, GCC 12.2.0; a million additions take 48.5 ms; configured with
  `--enable-optimizations --with-lto`.
- Versions: uvicorn 0.54.0.
- Settings: `ONSALE_PUSH_TICK_MS=1`; no call is limited by a rate."""


def parse(chart: str) -> ElementTree.Element:
    return ElementTree.fromstring(chart)  # noqa: S314 - our own chart


def figure(median: float, low: float | None = None, high: float | None = None) -> dict[str, float]:
    return {"median": median, "min": median if low is None else low, "max": median if high is None else high}


FANOUT = {
    **HEAD,
    "ratio_to_async_graphql": {"1000": 2.05, "5000": 2.49},
    "rows": [
        {
            "server": "mercurius",
            "kind": "small",
            "sockets": 1000,
            "deliveries_per_s": figure(21_338),
            "p99_ms": figure(69.6),
        },
        {
            "server": "onsale",
            "kind": "small",
            "sockets": 1000,
            "deliveries_per_s": figure(87_119, 80_965, 88_000),
            "p50_ms": figure(6.25),
            "p99_ms": figure(14.2, 14.0, 15.5),
            "reach": figure(1.0),
            "kib_per_socket": figure(4.3),
            "kib_per_socket_loaded": figure(4.5),
            "cpu": {"server": 0.98, "client": 0.5},
        },
        {
            "server": "limit-frames",
            "kind": "small",
            "sockets": 1000,
            "deliveries_per_s": figure(213_700),
            "p99_ms": figure(4.3),
        },
        {
            "server": "onsale",
            "kind": "uuid",
            "sockets": 1000,
            "deliveries_per_s": figure(80_000),
            "p99_ms": figure(16),
        },
        {
            "server": "onsale",
            "kind": "churn",
            "sockets": 64,
            "churn_per_s": figure(5_300),
            "p50_ms": figure(9),
            "p99_ms": figure(20),
        },
    ],
    "peers": {"mercurius": {"about": "Node.js: Mercurius on Fastify", "versions": {"mercurius": "16.10.1"}}},
    "skipped": {"gqlgen": "it is not built"},
    "failed": {},
}
FANOUT_SECTION = f"""{DESCRIBED}

![Deliveries per second of each server](charts/fanout.svg)

![The p99 latency of each server](charts/fanout-p99.svg)

![The memory of each server per socket](charts/fanout-memory.svg)

**1,000 sockets**

| Server | Deliveries/s | p50 ms | p99 ms | Reach | KiB/socket | after load | CPU |
| --- | --- | --- | --- | --- | --- | --- | --- |
| limit: prepared frames | 213,700 | – | 4.30 | – | – | – | – |
| **Onsale** | 87,119 (80,965 to 88,000) | 6.25 | 14.2 (14 to 15.5) | 1 | 4.30 | 4.50 | server 0.98, client 0.50 |
| **Onsale**, UUID ids | 80,000 | – | 16 | – | – | – | – |
| Mercurius (Node.js) | 21,338 | – | 69.6 | – | – | – | – |

**64 sockets, each with one subscription after another**

| Subscriptions started and completed | Per second | p50 ms | p99 ms | CPU |
| --- | --- | --- | --- | --- |
| **Onsale** | 5,300 | 9 | 20 | – |

| Server | What it is | Versions |
| --- | --- | --- |
| Mercurius (Node.js) | Node.js: Mercurius on Fastify | mercurius 16.10.1 |

- gqlgen (Go) was not measured: it is not built."""  # noqa: RUF001

HOLD = {
    **HEAD,
    "holds_per_s_with_pass": {"64": 2_100},
    "rows": [
        {
            "server": "onsale-pass",
            "connections": 64,
            "holds_per_s": figure(2_100),
            "p50_ms": figure(30),
            "p99_ms": figure(60),
        },
        {
            "server": "onsale-pass-releases",
            "load": "a tenth of the holds is released",
            "connections": 64,
            "holds_per_s": figure(1_900),
            "p50_ms": figure(31),
            "p99_ms": figure(61),
        },
    ],
}
HOLD_LAYERS = {
    **HEAD,
    "holds": 4_000,
    "connections": 64,
    "rows": [
        {"server": "onsale-pass", "cpu_us": figure(400, 390, 410), "samples": 2_000},
        {"server": "onsale", "cpu_us": figure(360), "samples": 1_800},
    ],
    "layers": [
        {"layer": "access line", "us": {"onsale-pass": 40, "onsale": 36}, "percent": {"onsale-pass": 10, "onsale": 10}},
        {"layer": "other", "us": {"onsale-pass": 360, "onsale": 324}, "percent": {"onsale-pass": 90, "onsale": 90}},
    ],
}
LAYERS_SECTION = f"""{DESCRIBED}
- Holds per round: 4,000, on 64 connections; samples: 2,000 and 1,800.

| Layer of a hold | **Onsale, with a queue pass**, µs | % | **Onsale**, µs | % |
| --- | --- | --- | --- | --- |
| all | 400 (390 to 410) | 100 | 360 | 100 |
| other | 360 | 90 | 324 | 90 |
| access line | 40 | 10 | 36 | 10 |"""
MEMORY = {
    **HEAD,
    "kib_per_socket": {"1000": 7.96, "5000": 8.04},
    "rows": [
        {
            "server": "onsale",
            "sockets": 1000,
            "people": "own",
            "kib_per_socket": figure(7.96, 7.8, 8.0),
            "kib_per_socket_loaded": figure(8.1),
            "kib_per_socket_reopened": figure(8.2),
            "kib_left_per_closed_socket": figure(0.3),
        }
    ],
}
MIXED = {
    **HEAD,
    "sockets": 5_000,
    "rows": [
        {"server": "onsale", "part": part, "connections": 8, "holds_per_s": figure(1_674), "hold_p99_ms": figure(10)}
        for part in ("beside", "alone")
    ],
}
QUEUE = {"positions_per_s": 25_600, "price_p99_ms": 940.5}
PAGES = {
    **HEAD,
    "desktop": {"performance": 94, "accessibility": 100, "best_practices": 100},
    "mobile": {"performance": 85, "accessibility": 100, "best_practices": 96},
    "sizes": {"concerts": {"script": 120_832, "style": 9_114}},
    "sockets": 1_000,
    "pushes": 300,
    "push_p50_ms": 60.4,
    "push_p99_ms": 140,
    "push_max_ms": 190,
    "push_from_answer_p99_ms": 120,
    "rows": [
        {
            "page": "catalog",
            "form": "desktop",
            "performance": figure(94, 93, 96),
            "accessibility": figure(100),
            "best_practices": figure(100),
            "largest_contentful_paint_ms": figure(612),
            "blocked_ms": figure(0),
            "layout_shift": figure(0.01),
        }
    ],
}
OPERATIONS = {
    **HEAD,
    "without": {"ONSALE_COMPILED_PLANS": "no"},
    "people": 500,
    "connections": 64,
    "rows": [{"operation": "join", "before_us": figure(360, 350, 370), "after_us": figure(160), "ratio": 2.25}],
}
RESULTS: dict[str, Any] = {
    "fanout": FANOUT,
    "hold": HOLD,
    "hold_layers": HOLD_LAYERS,
    "memory": MEMORY,
    "mixed": MIXED,
    "operations_cpu": OPERATIONS,
    "pages": PAGES,
    "queue": QUEUE,
}


def test_fanout_section_is_rendered_from_its_result() -> None:
    assert render_sections(RESULTS)["fanout"] == FANOUT_SECTION


def test_layers_section_has_the_largest_layer_first() -> None:
    assert render_sections(RESULTS)["layers"] == LAYERS_SECTION


@pytest.mark.parametrize(
    ("section", "row"),
    [
        ("hold", "| **Onsale, with a queue pass** | 64 | 2,100 | 30 | 60 | – |"),  # noqa: RUF001
        ("hold", "| the same as above | 64 | 2,100 | 30 | 60 | – |\n| a tenth of the holds is released | 64 | 1,900 |"),  # noqa: RUF001
        ("memory", "| 1,000 | one per socket | 7.96 (7.80 to 8) | 8.10 | 0.30 | 8.20 |"),
        ("mixed", "| 8 | none | 1,674 | – | 10 | – | – | – |\n| 8 | 5,000 |"),  # noqa: RUF001
        ("operations", "| join | 360 (350 to 370) | 160 | 2.25 |"),
        ("pages", "| catalog | desktop | 94 (93 to 96) | 100 | 100 | 612 | 0 | 0.01 |"),
        ("pages", "| concerts | 118 | 8.90 |"),
        ("pages", "| The same, p99 | 140 |"),
        ("queue", "| Positions per second, all of them changing constantly, to 5,000 sockets | 25,600 |"),
    ],
)
def test_section_has_a_row_for_each_measurement(section: str, row: str) -> None:
    assert row in render_sections(RESULTS)[section]


def test_missing_result_is_named_with_its_command() -> None:
    sections = render_sections({})
    assert sections["memory"] == "There is no result yet. `make bench-memory` writes `bench/results/memory.json`."
    assert sections["layers"] == "There is no result yet. `make bench-layers` writes `bench/results/hold_layers.json`."
    assert render_charts({}) == {}


def test_goals_tell_reached_missed_and_unmeasured_ones_apart() -> None:
    rows = dict(re.findall(r"^\| (.*?) \| .* \| (.*?) \|$", render_goals(RESULTS), re.MULTILINE))
    assert rows["Deliveries per second / async-graphql, 1,000 sockets"] == "yes"
    assert rows["Deliveries per second / async-graphql, 5,000 sockets"] == "**no**"
    assert rows["KiB per socket, 1,000 sockets"] == "yes"
    assert rows["KiB per socket, 5,000 sockets"] == "**no**"
    assert rows["KiB per socket, 10,000 sockets"] == "not measured"
    assert rows["Lighthouse, desktop, performance"] == "**no**"
    assert rows["Lighthouse, mobile, performance"] == "yes"
    assert len(rows) == len(GOALS) + len(("What", "---"))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.35, "0.35"), (8, "8"), (7.96, "7.96"), (14.23, "14.2"), (470.4, "470"), (87_119.0, "87,119"), (1.0, "1")],
)
def test_number_has_as_many_digits_as_matter(value: float, shown: str) -> None:
    assert number(value) == shown


def test_chart_has_a_bar_as_long_as_its_value() -> None:
    bars = (Bar("a < b", 50, 40, 60), Bar("Onsale", 100, 90, 100, "own"), Bar("limit", 25, 25, 25, "limit"))
    chart = parse(draw_bars("Deliveries & more", "note", [Panel("1,000 sockets", bars)]))
    rectangles = chart.findall(f"{SVG}rect")
    assert [float(one.attrib["width"]) for one in rectangles] == [BAR_W / 2, BAR_W, BAR_W / 4]
    assert [one.attrib["class"] for one in rectangles] == ["bar", "own-bar", "limit-bar"]
    texts = [one.text for one in chart.findall(f"{SVG}text")]
    assert texts == ["Deliveries & more", "note", "1,000 sockets", "a < b", "50", "Onsale", "100", "limit", "25"]


@pytest.mark.parametrize("chart", ["fanout", "fanout-p99"])
def test_charts_show_the_best_server_first_and_mark_onsale(chart: str) -> None:
    charts = render_charts(RESULTS)
    assert sorted(charts) == ["fanout", "fanout-memory", "fanout-p99", "hold"]
    rectangles = parse(charts[chart]).findall(f"{SVG}rect")
    assert [one.attrib["class"] for one in rectangles] == ["limit-bar", "own-bar", "own-bar", "bar"]


def test_chart_of_holds_compares_the_same_load() -> None:
    assert "1,900" not in render_charts(RESULTS)["hold"]


def test_charts_have_colors_for_light_and_dark_pages() -> None:
    style = parse(render_charts(RESULTS)["hold"]).findtext(f"{SVG}style") or ""
    light, dark = style.split("@media(prefers-color-scheme:dark)")
    for part in ("text", ".own-bar", ".bar", ".range"):
        assert f"{part}{{" in light
        assert f"{part}{{" in dark


PAGE = "Before.\n\n<!-- begin goals: written -->\nold\n<!-- end goals -->\n\nAfter.\n"


def test_fill_replaces_what_is_between_the_markers_only() -> None:
    filled = fill(PAGE, {"goals": "new"})
    assert filled == PAGE.replace("old\n", "\nnew\n\n")
    assert fill(filled, {"goals": "new"}) == filled


@pytest.mark.parametrize("sections", [{}, {"goals": "new", "fanout": "new"}, {"other": "new"}])
def test_fill_refuses_sections_that_the_page_does_not_have(sections: dict[str, str]) -> None:
    with pytest.raises(PageError, match="goals"):
        fill(PAGE, sections)


def test_performance_page_shows_the_results_of_this_commit() -> None:
    files = report.render_files(report.read_results(), report.PAGE.read_text())
    assert {path.name for path, content in files.items() if path.read_text() != content} == set()
