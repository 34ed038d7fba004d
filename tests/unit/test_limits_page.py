"""docs/limits.md states the same bounds as the code."""

import importlib
import re
from dataclasses import fields
from operator import attrgetter
from pathlib import Path

import pytest

from settings import LimitSettings, Settings
from subscriptions.sockets.limits import Limits

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "limits.md").read_text()
ROW = re.compile(r"^\| .* \| (?P<value>[^|]+) \| [^|]+ \| (?P<constant>`[^|]+`) \|$", re.MULTILINE)
SETTING = "`settings.limit."
ROWS = [
    (match["constant"], match["value"]) for match in ROW.finditer(PAGE) if not match["constant"].startswith(SETTING)
]
SETTINGS = [
    (match["constant"].removeprefix(SETTING).removesuffix("`"), match["value"])
    for match in ROW.finditer(PAGE)
    if match["constant"].startswith(SETTING)
]


def bound_of(constant: str) -> float:
    """Return the value of the constant named in the last cell of a row."""
    if match := re.fullmatch(r"`([\w/]+)\.py` `(\w+)`", constant):
        return float(getattr(importlib.import_module(match[1].replace("/", ".")), match[2]))
    if match := re.fullmatch(r"`Limits\.(\w+)`", constant):
        return float(getattr(Limits(), match[1]))
    if match := re.fullmatch(r"`([\w/]+\.lua)` `(\w+)`", constant):
        found = re.search(rf"^local {match[2]}\b.*? = (\d+)", (ROOT / match[1]).read_text(), re.MULTILINE)
        assert found
        return float(found[1])
    match = re.fullmatch(r"`settings\.([\w.]+)`", constant)
    assert match is not None
    return float(attrgetter(match[1])(Settings()))


def test_limits_page_has_rows() -> None:
    assert len(ROWS) > 35


@pytest.mark.parametrize(("constant", "value"), ROWS, ids=[constant for constant, _ in ROWS])
def test_row_states_the_bound_in_the_code(constant: str, value: str) -> None:
    number = re.sub(r"^`\w+`, ", "", value).replace(",", "")

    assert float(number) == bound_of(constant)


@pytest.mark.parametrize(("name", "value"), SETTINGS, ids=[name for name, _ in SETTINGS])
def test_row_states_the_default_of_its_setting(name: str, value: str) -> None:
    default = getattr(Settings().limit, name)
    shown = default if isinstance(default, int) else "/".join(map(str, default))
    assert value.replace(",", "") == f"`ONSALE_LIMIT_{name.upper()}` {shown}"


def test_every_limit_setting_has_a_row() -> None:
    assert sorted(name for name, _ in SETTINGS) == sorted(field.name for field in fields(LimitSettings))
