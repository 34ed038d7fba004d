"""A field that a method computes: Strawberry's decorator loses the method's type when it has a description."""

from collections.abc import Callable
from typing import TypeVar, cast

import strawberry

Method = TypeVar("Method", bound=Callable[..., object])


def computed(description: str | None = None, *, name: str | None = None) -> Callable[[Method], Method]:
    return cast("Callable[[Method], Method]", strawberry.field(description=description, name=name))
