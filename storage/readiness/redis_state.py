"""Reads what a process compares with its own: the layout and the clock of Redis."""

from dataclasses import dataclass
from typing import Protocol

from storage.hot import replies
from storage.hot.script_client import Reply
from storage.keys import READINESS_KEYS
from storage.scripts import READ_STORE, Script


class ScriptCaller(Protocol):
    async def call_with_keys(self, script: Script, keys: tuple[str, ...]) -> tuple[str, Reply]: ...


@dataclass(frozen=True, slots=True)
class RedisState:
    layout: int
    """0 if none is recorded."""
    time_s: float
    """Unix time."""


async def read_redis_state(client: ScriptCaller) -> RedisState:
    """Raises TemporarilyUnavailable, RedisError or OSError."""
    word, rest = await client.call_with_keys(READ_STORE, READINESS_KEYS)
    replies.expect(READ_STORE, word, "STORE")
    layout, seconds, microseconds = map(int, rest)
    return RedisState(layout, seconds + microseconds / 1e6)
