"""The tables of docs/rights.md: who may use each root field, and who sees the other fields."""

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "rights.md"
VIEWERS = (
    "anonymous",
    "customer",
    "other customer",
    "organizer",
    "other organizer",
    "gate",
    "admin",
    "service account",
)


@dataclass(frozen=True, slots=True)
class RootRow:
    """The outcome of one root field for one object, by viewer."""

    field: str
    object: str
    permission: str
    outcomes: dict[str, str]

    @property
    def id(self) -> str:
        return f"{self.field} of {self.object}" if self.object else self.field


@dataclass(frozen=True, slots=True)
class TypeRow:
    """Fields of one type that are visible to the same viewers."""

    fields: frozenset[str]
    permission: str
    viewers: frozenset[str]


def read_root_rows() -> list[RootRow]:
    return [
        RootRow(name, about, permission, dict(zip(VIEWERS, outcomes, strict=True)))
        for (name, about, permission, *outcomes) in _table("Field")
    ]


def read_type_rows() -> list[TypeRow]:
    return [
        TypeRow(
            frozenset(f"{type_name}.{name}" for name in names.split()),
            permission,
            frozenset(viewer for viewer, cell in zip(VIEWERS, cells, strict=True) if cell == "yes"),
        )
        for (type_name, names, permission, *cells) in _table("Type")
    ]


def _table(first_heading: str) -> list[list[str]]:
    """Return the cells of the table with this heading, without backticks."""
    lines = PAGE.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first_heading} |"))
    assert _cells(lines[start])[-len(VIEWERS) :] == list(VIEWERS)
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(_cells(line))
    return rows


def _cells(line: str) -> list[str]:
    return [re.sub(r"[`]", "", cell).strip() for cell in line.strip().strip("|").split("|")]
