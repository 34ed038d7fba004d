"""A Valkey or Redis 7 server that keeps every write it has acknowledged."""

import redis.asyncio
from redis.exceptions import RedisError

from storage.embedded.process import ServerProcess, flags

PROBE_TIMEOUT_S = 1.0


class Valkey(ServerProcess):
    name = "Valkey"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _arguments(self) -> list[str]:
        return flags(
            {
                "bind": "127.0.0.1",
                "port": str(self.port),
                "dir": str(self.directory),
                "appendonly": "yes",
                # One fsync covers all commands in one event loop iteration, so it costs little.
                "appendfsync": "always",
                "save": "",
                "maxmemory-policy": "noeviction",
            }
        )

    async def _is_ready(self) -> bool:
        client = redis.asyncio.Redis.from_url(
            self.url, socket_timeout=PROBE_TIMEOUT_S, socket_connect_timeout=PROBE_TIMEOUT_S
        )
        try:
            await client.ping()  # refused while the server loads its data
            return bool((await client.info("server"))["process_id"] == self.pid)
        except RedisError:
            return False
        finally:
            await client.aclose()
