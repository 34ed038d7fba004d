"""The changes of the SDL since the last release, as graphql-core finds them.

Each breaking change must be in the changelog, in the words of graphql-core. A release copies
`schema/schema.graphql` to `schema/released/schema.graphql`.
"""

from collections.abc import Iterable
from pathlib import Path

from graphql import build_schema
from graphql.utilities import BreakingChange, DangerousChange, find_schema_changes

RELEASED = Path(__file__).with_name("schema.graphql")
_UNRELEASED = "## [Unreleased]"


def find_changes(old_sdl: str, new_sdl: str) -> list[BreakingChange | DangerousChange]:
    """Return the changes that break clients, or may break them, breaking ones first."""
    found = find_schema_changes(build_schema(old_sdl), build_schema(new_sdl))
    breaking = [change for change in found if isinstance(change, BreakingChange)]
    return [*breaking, *(change for change in found if isinstance(change, DangerousChange))]


def find_unlisted(changes: Iterable[BreakingChange | DangerousChange], changelog: str) -> list[str]:
    """Return the breaking changes that the unreleased part of the changelog does not contain."""
    part = changelog.partition(_UNRELEASED)[2].partition("\n## ")[0]
    text = " ".join(part.split())
    return [
        change.description
        for change in changes
        if isinstance(change, BreakingChange) and change.description not in text
    ]
