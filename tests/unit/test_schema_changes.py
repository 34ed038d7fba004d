"""The changelog lists each change of the SDL since the last release that breaks clients."""

import subprocess
import sys
from pathlib import Path

import schema
from schema.released.changes import RELEASED, find_changes, find_unlisted

ROOT = Path(__file__).parents[2]
OLD = 'type Query { "Old." name(first: Int = 20): String size: Int } enum Color { RED BLUE }'
NEW = "type Query { name(first: Int): String } enum Color { RED BLUE GREEN }"
REMOVED = "Field Query.size was removed."
CHANGELOG = """# Changelog
## [Unreleased]
- **Breaking in the SDL:** Field Query.size was
  removed.
## [0.1.0]
"""


def test_changelog_lists_every_breaking_change() -> None:
    changes = find_changes(RELEASED.read_text(), schema.sdl())
    assert find_unlisted(changes, (ROOT / "CHANGELOG.md").read_text()) == [], "add these to CHANGELOG.md"


def test_breaking_changes_come_first() -> None:
    assert [change.description for change in find_changes(OLD, NEW)] == [
        REMOVED,
        "Query.name(first:) defaultValue was removed.",
        "Enum value Color.GREEN was added.",
    ]


def test_only_a_breaking_change_outside_the_unreleased_part_is_reported() -> None:
    changes = find_changes(OLD, NEW)
    assert find_unlisted(changes, CHANGELOG) == []
    released = CHANGELOG.replace("[0.1.0]", f"[0.1.0]\n- {REMOVED}").replace(
        "Field Query.size was\n  removed.", "None."
    )
    assert find_unlisted(changes, released) == [REMOVED]


def test_same_sdl_has_no_changes() -> None:
    assert find_changes(schema.sdl(), schema.sdl()) == []


def test_module_prints_the_changes() -> None:
    command = [sys.executable, "-m", "schema.released"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    changes = find_changes(RELEASED.read_text(), schema.sdl())
    assert [line.partition(": ")[2] for line in printed.splitlines()] == [change.description for change in changes]
