"""Simulates a crash during a queue opening or a recovery by raising an exception."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from storage.connect import Stores


class Crashed(Exception):
    pass


def crash_at(stores: Stores, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Raise Crashed at a step of `lotteries` or `hot_state`, such as "before reveal"."""
    when, _, name = step.partition(" ")
    owner = stores.lotteries if hasattr(stores.lotteries, name) else stores.hot_state
    original: Callable[..., Awaitable[Any]] = getattr(owner, name)

    @functools.wraps(original)
    async def crash(*args: Any, **kwargs: Any) -> Any:
        if when == "after":
            await original(*args, **kwargs)
        raise Crashed

    monkeypatch.setattr(owner, name, crash)
