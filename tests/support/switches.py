"""Turns settings off for a whole test run: batches of holds, or the fast path of HTTP."""

from typing import Any

from settings import Settings
from web.fast_path.answers import FastPath
from web.graphql_service import GraphQLService

_off: set[str] = set()


def turn_off(setting: str) -> None:
    """Turn a setting off, such as BATCHED_HOLDS, in all servers of this test run."""
    _off.add(setting)


def is_on(setting: str) -> bool:
    return setting not in _off


def switched_settings() -> dict[str, str]:
    """Return the settings of a process that are turned off."""
    return dict.fromkeys(_off, "no")


def add_fast_path(state: dict[str, Any], service: GraphQLService) -> None:
    """Let a server with this state use the fast path, unless it is turned off."""
    if is_on("HTTP_FAST_PATH"):
        state["fast_path"] = FastPath(service.http, max_body_bytes=Settings().max_body_bytes)
