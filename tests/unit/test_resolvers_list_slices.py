"""All lists of a request share one time slice, so that many short ones do not block the loop."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from resolvers.context import TURNS_PER_SLICE, Context
from storage import time_slice

LISTS, ITEMS = 20, 3
MS_PER_SLICE = 5
"""A slice ends with the first item after more than four milliseconds."""


async def test_many_short_lists_let_other_tasks_run(monkeypatch: pytest.MonkeyPatch) -> None:
    now_ms = turns = 0
    monkeypatch.setattr(time_slice, "time", SimpleNamespace(monotonic=lambda: now_ms / 1_000))
    context = Context(cast(Any, None), cast(Any, None), None, "test-request")

    async def complete() -> None:
        nonlocal now_ms
        async for _ in context.iterate(range(ITEMS)):
            now_ms += 1

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(count_turns())
    for _ in range(LISTS):
        await complete()
    other.cancel()
    assert turns >= (LISTS * ITEMS // MS_PER_SLICE - 1) * TURNS_PER_SLICE
