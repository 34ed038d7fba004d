"""Reads fields of Stripe's objects, which are JSON objects.

A field whose type is not the documented one raises UnreadableObject, because an answer that was not
understood must never pass for one that was.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeAlias

from payments.provider import ProviderUnavailable

StripeObject: TypeAlias = Mapping[str, object]


class UnreadableObject(ProviderUnavailable):
    """Stripe sent something that Onsale does not understand."""


def optional_text(source: StripeObject, name: str) -> str | None:
    value = source.get(name)
    if value is not None and not isinstance(value, str):
        raise _unreadable(source, name)
    return value


def text(source: StripeObject, name: str) -> str:
    value = optional_text(source, name)
    if not value:
        raise _unreadable(source, name)
    return value


def number(source: StripeObject, name: str) -> int:
    value = source.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _unreadable(source, name)
    return value


def flag(source: StripeObject, name: str) -> bool:
    value = source.get(name)
    if not isinstance(value, bool):
        raise _unreadable(source, name)
    return value


def time(source: StripeObject, name: str) -> datetime:
    try:
        return datetime.fromtimestamp(number(source, name), UTC)
    except (OverflowError, OSError, ValueError):
        raise _unreadable(source, name) from None


def optional_object(source: StripeObject, name: str) -> StripeObject | None:
    value = source.get(name)
    if value is not None and not isinstance(value, dict):
        raise _unreadable(source, name)
    return value


def objects(source: StripeObject, name: str) -> tuple[StripeObject, ...]:
    value = source.get(name)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _unreadable(source, name)
    return tuple(value)


def optional_id(source: StripeObject, name: str) -> str | None:
    """Return the id in a field that holds an id, or a whole object if it was expanded."""
    value = source.get(name)
    return optional_text(value, "id") if isinstance(value, dict) else optional_text(source, name)


def _unreadable(source: StripeObject, name: str) -> UnreadableObject:
    kind = source.get("object")
    return UnreadableObject(f"The field {name!r} of Stripe's {str(kind)[:64]!r} is missing or malformed")
