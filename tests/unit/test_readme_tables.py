"""The README tables list exactly our settings, with their defaults, and our commands."""

import re
from dataclasses import fields
from pathlib import Path

from settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_every_setting_is_in_the_table() -> None:
    rows = re.findall(r"^\| `ONSALE_([A-Z_]+)` \| (.*?) \|", README, re.MULTILINE)
    assert [name for name, _ in rows] == [field.name.upper() for field in fields(Settings)]
    for name, shown in rows:
        default = getattr(Settings(), name.lower())
        if default in (None, ()):
            assert shown.startswith(("a ", "an ", "none"))
        else:
            assert re.fullmatch("`[^`]+`", shown)
            assert getattr(Settings.from_env({f"ONSALE_{name}": shown[1:-1]}), name.lower()) == default


def test_every_command_is_in_the_table() -> None:
    listed = re.findall(r"^\| `make ([a-z-]+)` \|", README, re.MULTILINE)
    defined = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed == [name for name in defined if name != "help"]
