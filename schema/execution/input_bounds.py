"""Bounds for variables, checked before GraphQL coerces them.

An oversized input is refused before GraphQL searches for names similar to its unknown keys.
"""

from collections.abc import Iterable, Mapping
from typing import cast

from domain.errors import BadUserInput
from schema.plans.variables import InputBounds

MAX_ITEMS = 500
"""The maximum number of items in a list: the scans of `checkInTickets`."""
MAX_KEYS = 200
"""The maximum number of keys in an object. GraphQL compares unknown ones with all known ones."""
MAX_KEY_CHARACTERS = 100
MAX_VALUES = 3_000
"""The maximum number of values in all variables together, at any depth. 500 scans have 2,503."""


def check_variables(variables: Mapping[str, object]) -> None:
    """Raise BadUserInput if a list, an object, a key or the total number of values is too large."""
    if not _are_within_bounds(variables):
        _refuse(variables)


def _are_within_bounds(variables: Mapping[str, object]) -> bool:
    """Return False for variables beyond a bound, and for those that are nested too deeply."""
    try:
        return _count_down(variables, MAX_VALUES) >= 0
    except RecursionError:
        return False


INPUT_BOUNDS = InputBounds(MAX_ITEMS, MAX_KEYS, MAX_KEY_CHARACTERS, MAX_VALUES, _are_within_bounds)
"""These bounds, for plans."""


def _count_down(container: Mapping[str, object] | list[object], left: int) -> int:
    """Return how many of the values that are left remain after those in a container, or a negative
    number if it exceeds a bound.
    """
    size = len(container)
    left -= size
    if left < 0:
        return left
    if isinstance(container, list):
        if size > MAX_ITEMS:
            return -1
        inside: Iterable[object] = container
    else:
        if size > MAX_KEYS or (size and max(map(len, container)) > MAX_KEY_CHARACTERS):
            return -1
        inside = container.values()
    for value in inside:
        # JSON has no other containers.
        if value.__class__ is dict or value.__class__ is list:
            left = _count_down(cast("dict[str, object] | list[object]", value), left)
            if left < 0:
                return left
    return left


def _refuse(variables: Mapping[str, object]) -> None:
    """Raise BadUserInput for the first bound that the variables exceed."""
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
        unread += [(f"{path}.{key}", inner) for key, inner in pairs if isinstance(inner, list | dict)]
