"""Bounds for variables, checked before GraphQL coerces them.

An oversized input is refused before GraphQL searches for names similar to its unknown keys.
"""

from collections.abc import Mapping

from domain.errors import BadUserInput

MAX_ITEMS = 200
"""The maximum number of items in a list or keys in an object. A concert has at most 50 tiers."""
MAX_KEY_CHARACTERS = 100
MAX_VALUES = 2_000
"""The maximum number of values in all variables together, at any depth."""


def check_variables(variables: Mapping[str, object]) -> None:
    """Raise BadUserInput if a list, an object, a key or the total number of values is too large."""
    values = 0
    unread: list[tuple[str, object]] = [("variables", variables)]
    while unread:
        path, value = unread.pop()
        if not isinstance(value, list | Mapping):
            continue
        if len(value) > MAX_ITEMS:
            kind = "items" if isinstance(value, list) else "keys"
            raise BadUserInput(f"`{path}` has {len(value)} {kind}; send at most {MAX_ITEMS}.")
        if isinstance(value, Mapping) and any(len(key) > MAX_KEY_CHARACTERS for key in value):
            raise BadUserInput(f"`{path}` has a key of more than {MAX_KEY_CHARACTERS} characters; use field names.")
        values += len(value)
        if values > MAX_VALUES:
            raise BadUserInput(f"`variables` has more than {MAX_VALUES} values; split the request.")
        pairs = enumerate(value) if isinstance(value, list) else value.items()
        unread += [(f"{path}.{key}", inner) for key, inner in pairs]
