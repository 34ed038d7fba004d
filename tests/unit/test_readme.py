"""The README's tables name exactly the settings and the commands that there are, with their defaults."""

import re
from dataclasses import fields
from pathlib import Path

from settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_every_setting_is_in_the_table() -> None:
    rows = re.findall(r"^\| `ONSALE_([A-Z_]+)` \| (.*?) \|", README, re.MULTILINE)
    assert [name for name, _ in rows] == [field.name.upper() for field in fields(Settings)]
    for name, told in rows:
        default = getattr(Settings(), name.lower())
        if default in (None, ()):
            assert told.startswith(("a ", "an ", "none"))
        else:
            assert re.fullmatch("`[^`]+`", told)
            assert getattr(Settings.from_env({f"ONSALE_{name}": told[1:-1]}), name.lower()) == default


def test_every_command_is_in_the_table() -> None:
    told = re.findall(r"^\| `make ([a-z-]+)` \|", README, re.MULTILINE)
    there_are = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert told == [name for name in there_are if name != "help"]
