"""Publishes hints that no script publishes, because the state that changed is not in Redis."""

import logging

from redis.exceptions import RedisError

from storage.hot.script_client import ScriptClient

log = logging.getLogger(__name__)


class HintPublisher:
    def __init__(self, client: ScriptClient) -> None:
        self._client = client

    async def publish(self, channel: str) -> None:
        """Publish a hint. A lost hint only makes its readers later, so failures are not raised."""
        try:
            await self._client.run_command("PUBLISH", channel, "")
        except (RedisError, OSError) as error:
            log.info("a hint was lost: %s", type(error).__name__)
