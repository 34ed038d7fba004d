"""A problem with one field of an input: a sentence for developers, and a rule that a page can
translate into any language.
"""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime
from enum import StrEnum

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""No time in an input may be outside these years."""


class InputRule(StrEnum):
    """A rule that an input breaks. `RULE_DATA` lists the data that come with each."""

    REQUIRED = "REQUIRED"
    EMPTY = "EMPTY"
    TOO_LONG = "TOO_LONG"
    FORBIDDEN_CHARACTER = "FORBIDDEN_CHARACTER"
    TOO_MANY_MARKS = "TOO_MANY_MARKS"
    INVISIBLE = "INVISIBLE"
    INVALID_FORMAT = "INVALID_FORMAT"
    INVALID_ID = "INVALID_ID"
    OTHER_CONCERT = "OTHER_CONCERT"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    NOT_A_MULTIPLE = "NOT_A_MULTIPLE"
    WRONG_COUNT = "WRONG_COUNT"
    WRONG_YEAR = "WRONG_YEAR"
    TOO_EARLY = "TOO_EARLY"
    TOO_LATE = "TOO_LATE"
    REPEATED = "REPEATED"
    TAKEN = "TAKEN"
    CONFLICT = "CONFLICT"


RULE_DATA: dict[InputRule, frozenset[str]] = {
    InputRule.TOO_LONG: frozenset({"maximum", "given"}),
    InputRule.FORBIDDEN_CHARACTER: frozenset({"position"}),
    InputRule.TOO_MANY_MARKS: frozenset({"maximum", "position"}),
    InputRule.OUT_OF_RANGE: frozenset({"given"}),
    InputRule.NOT_A_MULTIPLE: frozenset({"given", "step"}),
    InputRule.WRONG_COUNT: frozenset({"maximum", "given"}),
    InputRule.WRONG_YEAR: frozenset({"minimum", "maximum"}),
    InputRule.TOO_EARLY: frozenset({"other"}),
    InputRule.TOO_LATE: frozenset({"other"}),
    InputRule.CONFLICT: frozenset({"other"}),
}
"""The data that a problem with this rule always has. A rule that is not listed needs none."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    path: str
    """The dotted path in the input, such as `lines.0.quantity`."""
    message: str
    rule: InputRule
    _: KW_ONLY
    minimum: int | None = None
    maximum: int | None = None
    given: int | None = None
    """The number that was sent, or the length of what was sent."""
    step: int | None = None
    position: int | None = None
    """The position of a character in the text, starting at 1."""
    other: str | None = None
    """The name of the field with which this one conflicts."""

    @property
    def data(self) -> dict[str, int | str]:
        """Return the numbers and the name that belong to the rule."""
        given = {name: getattr(self, name) for name in _DATA}
        return {name: value for name, value in given.items() if value is not None}


_DATA = ("minimum", "maximum", "given", "step", "position", "other")


def number_problems(path: str, value: int, lowest: int, highest: int) -> Iterator[FieldProblem]:
    if not lowest <= value <= highest:
        message = f"is {value}; it must be between {lowest} and {highest}"
        yield FieldProblem(path, message, InputRule.OUT_OF_RANGE, minimum=lowest, maximum=highest, given=value)


def count_problem(path: str, count: int, message: str, *, lowest: int = 0, highest: int) -> FieldProblem:
    """Return the problem with a list that has too many or too few items."""
    return FieldProblem(path, message, InputRule.WRONG_COUNT, minimum=lowest, maximum=highest, given=count)


def unknown_tier_problem(path: str) -> FieldProblem:
    return FieldProblem(path, "is not a tier of this concert; use one of its tiers", InputRule.OTHER_CONCERT)
