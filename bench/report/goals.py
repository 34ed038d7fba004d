"""The goals of the benchmarks, and whether the results reach them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.report.tables import NO_VALUE, number, table


@dataclass(frozen=True, slots=True)
class Goal:
    what: str
    result: str
    """The file in bench/results, without its suffix."""
    path: tuple[str, ...]
    """The keys under which the file has the value."""
    at_least: float | None = None
    at_most: float | None = None

    def find(self, results: Mapping[str, Any]) -> float | None:
        value: Any = results.get(self.result)
        for key in self.path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return float(value) if isinstance(value, int | float) else None

    def is_reached(self, value: float) -> bool:
        return value >= self.at_least if self.at_least is not None else value <= (self.at_most or 0)

    @property
    def limit(self) -> str:
        if self.at_least is not None:
            return f"at least {number(self.at_least)}"
        return f"at most {number(self.at_most or 0)}"


def _by_sockets(what: str, name: str, goals: Mapping[str, float]) -> list[Goal]:
    return [
        Goal(f"{what}, {int(sockets):,} sockets{ids}", "fanout", (f"{name}{suffix}", sockets), at_least=goal)
        for suffix, ids in (("", ""), ("_uuid", " with UUID ids"))
        for sockets, goal in goals.items()
    ]


GOALS = (
    *_by_sockets("Deliveries per second / async-graphql", "ratio_to_async_graphql", {"1000": 2.0, "5000": 2.5}),
    *_by_sockets("Deliveries per second / Mercurius", "ratio_to_mercurius", {"1000": 4.0, "5000": 5.0}),
    *_by_sockets("Deliveries per second / prepared frames", "ratio_to_limit", {"1000": 0.35, "5000": 0.6}),
    *_by_sockets("Received / expected deliveries", "reach", {"1000": 1.0, "5000": 1.0}),
    Goal("Received / expected deliveries, 10,000 sockets", "fanout", ("reach", "10000"), at_least=1.0),
    Goal("A change reaches 10,000 sockets, p99 in ms", "fanout", ("delivery_p99_ms", "10000"), at_most=150),
    *(
        Goal(f"KiB per socket{state}, {int(sockets):,} sockets", "memory", (name, sockets), at_most=8)
        for name, state in (("kib_per_socket", ""), ("kib_per_socket_loaded", " after load"))
        for sockets in ("1000", "5000", "10000")
    ),
    *(
        Goal(
            f"A hold during pushes to 5,000 sockets, {count} connections, p99 in ms",
            "mixed",
            ("hold_p99_ms", count),
            at_most=50,
        )
        for count in ("8", "64")
    ),
    Goal("Positions per second to 5,000 sockets", "queue", ("positions_per_s",), at_least=25_000),
    Goal("A price reaches 10,000 people in a queue, p99 in ms", "queue", ("price_p99_ms",), at_most=1_000),
    *(
        Goal(f"Lighthouse, {form}, {name}", "pages", (form, score), at_least=goal)
        for form, performance in (("desktop", 95), ("mobile", 85))
        for score, name, goal in (
            ("performance", "performance", performance),
            ("accessibility", "accessibility", 100),
            ("best_practices", "best practices", 100),
        )
    ),
    Goal("A change is painted beside 1,000 other sockets, p99 in ms", "pages", ("push_p99_ms",), at_most=300),
    Goal("Holds per second with a queue pass, 64 connections", "hold", ("holds_per_s_with_pass", "64"), at_least=2_000),
    *(
        Goal(f"The same / {server}, {count} connections", "hold", (ratio, count), at_least=goal)
        for server, ratio, count, goal in (
            ("Mercurius", "ratio_to_mercurius", "64", 0.9),
            ("Mercurius", "ratio_to_mercurius", "256", 1.0),
            ("Strawberry", "ratio_to_strawberry", "64", 7.0),
        )
    ),
)


def render_goals(results: Mapping[str, Any]) -> str:
    rows = []
    for goal in GOALS:
        value = goal.find(results)
        verdict = "not measured" if value is None else "yes" if goal.is_reached(value) else "**no**"
        rows.append((goal.what, goal.limit, NO_VALUE if value is None else number(value), verdict))
    return table(("What", "Goal", "Measured", "Reached"), rows)
