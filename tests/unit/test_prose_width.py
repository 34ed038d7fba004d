"""Prose in Markdown and in Lua comments is at most 100 columns wide.

The linter checks Python. Tables, code blocks, link targets and lines of one word are exempt.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_COLUMNS = 100
EXCLUDED_FOLDERS = {"build", "node_modules", "dist"}

FENCE = re.compile(r"\s*(```|~~~)")
LIST_ITEM = re.compile(r"\s*([-*+]|\d+\.) ")
LINK_TARGET = re.compile(r"\]\([^)]*\)|<?https?://\S+|^\[[^\]]+\]: \S+")

Prose = Callable[[str], Iterator[tuple[int, str]]]


def markdown_prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line of prose with its number."""
    open_fence, is_in_list, may_begin_code = "", False, True
    for number, line in enumerate(text.splitlines(), start=1):
        fence = FENCE.match(line)
        is_indented_code = line.startswith("    ") and may_begin_code and not is_in_list
        if fence:
            open_fence = open_fence or fence[1] if open_fence != fence[1] else ""
        elif not open_fence and not is_indented_code and not line.startswith("|"):
            yield number, LINK_TARGET.sub("]", line)
        is_in_list = bool(LIST_ITEM.match(line)) or (is_in_list and line[:1] in ("", " "))
        may_begin_code = not line.strip() or is_indented_code


def lua_prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield each comment line with its number."""
    is_in_block = False
    for number, line in enumerate(text.splitlines(), start=1):
        is_in_block = is_in_block or line.lstrip().startswith("--[[")
        if is_in_block or line.lstrip().startswith("--"):
            yield number, LINK_TARGET.sub("", line)
        is_in_block = is_in_block and "]]" not in line


def wide_lines(prose: Iterator[tuple[int, str]]) -> list[int]:
    return [number for number, line in prose if len(line) > MAX_COLUMNS and len(line.strip(" -*").split()) > 1]


def find_files(suffix: str) -> list[Path]:
    found: list[Path] = []
    for folder, subfolders, names in os.walk(ROOT):
        subfolders[:] = sorted(name for name in subfolders if name not in EXCLUDED_FOLDERS and not name.startswith("."))
        found += [Path(folder) / name for name in sorted(names) if name.endswith(suffix)]
    return found


@pytest.mark.parametrize(("suffix", "prose"), [(".md", markdown_prose), (".lua", lua_prose)])
def test_prose_is_at_most_100_columns_wide(suffix: str, prose: Prose) -> None:
    files = find_files(suffix)
    wide = [f"{path.relative_to(ROOT)}:{number}" for path in files for number in wide_lines(prose(path.read_text()))]
    assert len(files) > 20
    assert wide == []


FITTING = ("word " * 20).strip() + "s"
WIDE = FITTING + "s"
LONG_WORD = "-" * 101


@pytest.mark.parametrize(
    ("text", "wide"),
    [
        (FITTING, []),
        (WIDE, [1]),
        (f"# {FITTING}", [1]),
        (f"- short\n\n    {FITTING}", [3]),
        (f"short\n    {FITTING}", [2]),
        (f"```\n{WIDE}\n```\n{WIDE}", [4]),
        (f"```\n~~~\n{WIDE}\n```\n{WIDE}", [5]),
        (f"short\n\n    {WIDE}\n\n    {WIDE}\n\n{WIDE}", [7]),
        (f"| a | {WIDE} |", []),
        (f"A [link](https://example.org/{LONG_WORD}).", []),
        (f"{WIDE} [link](there)", [1]),
        (f"- https://example.org/{LONG_WORD}", []),
        (LONG_WORD, []),
    ],
)
def test_wide_markdown_lines_are_found(text: str, wide: list[int]) -> None:
    assert len(FITTING) == MAX_COLUMNS
    assert wide_lines(markdown_prose(text)) == wide


@pytest.mark.parametrize(
    ("text", "wide"),
    [
        (f"-- {FITTING}", [1]),
        (f"  -- {FITTING}", [1]),
        (f"--[[ Short.\nReplies   {FITTING}\n]]\nlocal text = '{WIDE}'\n-- {WIDE}", [2, 5]),
        (f"--{LONG_WORD}", []),
    ],
)
def test_wide_lua_comments_are_found(text: str, wide: list[int]) -> None:
    assert wide_lines(lua_prose(text)) == wide
