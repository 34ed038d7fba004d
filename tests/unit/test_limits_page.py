"""docs/limits.md states the same bounds as the code."""

import importlib
import re
from pathlib import Path

import pytest

from settings import Settings
from subscriptions.sockets.limits import Limits

PAGE = (Path(__file__).parents[2] / "docs" / "limits.md").read_text()
ROW = re.compile(r"^\| .* \| (?P<value>[^|]+) \| [^|]+ \| (?P<constant>`[^|]+`) \|$", re.MULTILINE)
ROWS = [(match["constant"], match["value"]) for match in ROW.finditer(PAGE)]


def bound_of(constant: str) -> float:
    """Return the value of the constant named in the last cell of a row."""
    if match := re.fullmatch(r"`([\w/]+)\.py` `(\w+)`", constant):
        return float(getattr(importlib.import_module(match[1].replace("/", ".")), match[2]))
    if match := re.fullmatch(r"`Limits\.(\w+)`", constant):
        return float(getattr(Limits(), match[1]))
    match = re.fullmatch(r"`settings\.(\w+)`", constant)
    assert match is not None
    return float(getattr(Settings(), match[1]))


def test_page_has_rows() -> None:
    assert len(ROWS) > 35


@pytest.mark.parametrize(("constant", "value"), ROWS, ids=[constant for constant, _ in ROWS])
def test_row_states_the_bound_in_the_code(constant: str, value: str) -> None:
    number = re.sub(r"^`\w+`, ", "", value).replace(",", "")

    assert float(number) == bound_of(constant)
