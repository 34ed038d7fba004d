"""Bounds for variables, checked before GraphQL coerces them.

An oversized input is refused before GraphQL searches for names similar to its unknown keys.
"""

from collections.abc import Mapping

from domain.errors import BadUserInput

MAX_ITEMS = 500
"""The maximum number of items in a list: the scans of `checkInTickets`."""
MAX_KEYS = 200
"""The maximum number of keys in an object. GraphQL compares unknown ones with all known ones."""
MAX_KEY_CHARACTERS = 100
MAX_VALUES = 3_000
"""The maximum number of values in all variables together, at any depth. 500 scans have 2,503."""


def check_variables(variables: Mapping[str, object]) -> None:
    """Raise BadUserInput if a list, an object, a key or the total number of values is too large."""
    values = 0
    unread: list[tuple[str, Mapping[str, object] | list[object]]] = [("variables", variables)]
    while unread:
        path, value = unread.pop()
        kind, most = ("items", MAX_ITEMS) if isinstance(value, list) else ("keys", MAX_KEYS)
        if len(value) > most:
            raise BadUserInput(f"`{path}` has {len(value)} {kind}; send at most {most}.")
        if not isinstance(value, list) and max(map(len, value), default=0) > MAX_KEY_CHARACTERS:
            raise BadUserInput(f"`{path}` has a key of more than {MAX_KEY_CHARACTERS} characters; use field names.")
        values += len(value)
        if values > MAX_VALUES:
            raise BadUserInput(f"`variables` has more than {MAX_VALUES} values; split the request.")
        pairs = enumerate(value) if isinstance(value, list) else value.items()
        # JSON has no other containers.
        unread += [(f"{path}.{key}", inner) for key, inner in pairs if isinstance(inner, list | dict)]
