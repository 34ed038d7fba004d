"""Markdown tables, with the names and numbers in them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

NO_VALUE = "–"  # noqa: RUF001
TITLES = {
    "onsale": "**Onsale**",
    "onsale-pass": "**Onsale, with a queue pass**",
    "async-graphql": "async-graphql (Rust)",
    "gqlgen": "gqlgen (Go)",
    "mercurius": "Mercurius (Node.js)",
    "strawberry": "Strawberry (Python)",
    "strawberry-caches": "Strawberry with its own caches",
    "limit-http": "limit: ASGI without GraphQL",
    "limit-frames": "limit: prepared frames",
    "wire": "limit: the client's own server",
}


def title_of(server: str) -> str:
    """Return the name of a server as the page shows it."""
    return TITLES.get(server, server)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spread(row: Mapping[str, Any], name: str) -> str:
    """Return the median of a figure, with the smallest and the largest value in brackets."""
    figure = row.get(name)
    if figure is None:
        return NO_VALUE
    if not isinstance(figure, Mapping):
        return number(figure)
    low, high = number(figure["min"]), number(figure["max"])
    return number(figure["median"]) + ("" if low == high else f" ({low} to {high})")


def number(value: float) -> str:
    """Return the value with as many digits as matter: three, or all before the point."""
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def kib(size_bytes: float) -> str:
    return number(round(size_bytes / 1024, 1))
