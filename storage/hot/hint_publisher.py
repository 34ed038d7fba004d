"""Publishes hints that no script publishes, because the state that changed is not in Redis."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from redis.exceptions import RedisError

from domain.errors import TemporarilyUnavailable
from storage.hot.script_client import ScriptClient

log = logging.getLogger(__name__)


class HintPublisher:
    """Publishes in tasks that `start` creates, so that Redis never delays the caller.

    A lost hint only delays its readers, so failures are not raised.
    """

    def __init__(self, client: ScriptClient, start: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        self._client = client
        self._start = start

    def publish(self, channel: str) -> None:
        try:
            self._start(self._publish(channel))
        except TemporarilyUnavailable as error:
            log.info("a hint was lost: %s", error)

    async def _publish(self, channel: str) -> None:
        try:
            await self._client.run_command("PUBLISH", channel, "")
        except (RedisError, OSError) as error:
            log.info("a hint was lost: %s", type(error).__name__)
