"""Prints the changes of the SDL since the last release that break clients, or may break them."""

from graphql.utilities import BreakingChange

from schema import sdl
from schema.released.changes import RELEASED, find_changes

for change in find_changes(RELEASED.read_text(), sdl()):
    kind = "breaking" if isinstance(change, BreakingChange) else "dangerous"
    print(f"{kind}: {change.description}")  # noqa: T201
