"""The README tables list our settings, with their defaults, and our commands.

The settings for limits are in docs/limits.md, which has its own test.
"""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

from settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_every_setting_is_in_exactly_one_table() -> None:
    rows = re.findall(r"^\| `ONSALE_([A-Z_]+)` \| (.*?) \|", README, re.MULTILINE)
    defaults = {name: value for name, value in _values(Settings()) if not name.startswith("LIMIT_")}
    assert sorted(name for name, _ in rows) == sorted(defaults)
    for name, shown in rows:
        default = defaults[name]
        if default in (None, ()):
            assert shown.startswith(("a ", "an ", "none", "`yes` in development, "))
        else:
            assert re.fullmatch("`[^`]+`", shown)
            assert dict(_values(Settings.from_env({f"ONSALE_{name}": shown[1:-1]})))[name] == default


def _values(settings: Settings) -> Iterator[tuple[str, object]]:
    """Yield every setting; those in a group have the group's name as their prefix."""
    for field in fields(settings):
        value = getattr(settings, field.name)
        if is_dataclass(value):
            yield from ((f"{field.name}_{part.name}".upper(), getattr(value, part.name)) for part in fields(value))
        else:
            yield field.name.upper(), value


def test_every_command_is_in_the_table() -> None:
    listed = re.findall(r"^\| `make ([a-z-]+)` \|", README, re.MULTILINE)
    defined = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed == [name for name in defined if name != "help"]
