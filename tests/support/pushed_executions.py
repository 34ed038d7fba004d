"""Records the executions of subscription payloads, by plans and by graphql-core."""

from collections.abc import Callable
from typing import Any

import pytest

from domain.topics import Snapshot
from resolvers.context import Context
from schema.execution.subscription_source import PreparedOperation


def record_executions(monkeypatch: pytest.MonkeyPatch, record: Callable[[Any, Context], object]) -> None:
    """Call `record` with the snapshot and the context of each execution."""
    execute = PreparedOperation.execute

    async def recorded(self: PreparedOperation, snapshot: Snapshot, context: Context) -> bytes:
        record(snapshot, context)
        return await execute(self, snapshot, context)

    monkeypatch.setattr(PreparedOperation, "execute", recorded)
