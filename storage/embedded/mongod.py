"""A mongod that runs as a replica set with one member.

Its journal is always on, and majority writes wait for it.
"""

import signal
from collections.abc import Sequence

from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError

from storage.embedded.process import ServerProcess, flags

REPLICA_SET = "onsale"
NOT_YET_INITIALIZED = 94  # mongod's error code
PROBE_TIMEOUT_MS = 1_000
# Libraries that the wheel's mongod links to, and the Debian and Ubuntu packages that contain them.
DEBIAN_PACKAGES = {
    "libcurl.so.4": "libcurl4",
    "libcrypto.so.3": "libssl3",
    "libssl.so.3": "libssl3",
    "liblzma.so.5": "liblzma5",
}


class Mongod(ServerProcess):
    name = "mongod"

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/?replicaSet={REPLICA_SET}"

    def _arguments(self) -> list[str]:
        settings = {
            "bind_ip": "127.0.0.1",
            "port": str(self.port),
            "dbpath": str(self.directory),
            "replSet": REPLICA_SET,
            # The default is half of the machine's memory, which is too much on a developer's
            # laptop.
            "wiredTigerCacheSizeGB": "0.5",
            # The default is 5% of the disk, but this set has no member that replicates from it.
            "oplogSize": "256",
        }
        return [
            *flags(settings),
            "--quiet",
            # A socket file left in /tmp by another user's crashed mongod would keep this one from
            # starting.
            "--nounixsocket",
            # Diagnostic data for MongoDB's support takes several megabytes an hour.
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            # By default, a primary that is stopping waits 15 s for its clients to find another one.
            *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=0"),
            # By default, a transaction whose commit was lost locks its documents for a minute.
            *("--setParameter", "transactionLifetimeLimitSeconds=10"),
        ]

    async def _is_ready(self) -> bool:
        client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(
            f"mongodb://127.0.0.1:{self.port}/?directConnection=true",
            serverSelectionTimeoutMS=PROBE_TIMEOUT_MS,
        )
        async with client:
            try:
                if (await client.admin.command("serverStatus"))["pid"] != self.pid:
                    return False
                await self._ensure_replica_set(client)
                return bool((await client.admin.command("hello"))["isWritablePrimary"])
            except PyMongoError:
                return False

    async def _ensure_replica_set(self, client: AsyncMongoClient[dict[str, object]]) -> None:
        """Initiate the replica set, or move it to the current port.

        A member that does not find itself in the configuration never votes.
        """
        host = f"127.0.0.1:{self.port}"
        try:
            config = (await client.admin.command("replSetGetConfig"))["config"]
        except OperationFailure as error:
            if error.code != NOT_YET_INITIALIZED:
                raise
            members = [{"_id": 0, "host": host}]
            await client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
            return
        if config["members"][0]["host"] != host:
            config["members"][0]["host"] = host
            config["version"] += 1
            await client.admin.command("replSetReconfig", config, force=True)

    def _explain(self, end: str, log_lines: Sequence[str]) -> str:
        for library, package in DEBIAN_PACKAGES.items():
            if any(f"{library}: cannot open shared object file" in line for line in log_lines):
                return (
                    f"mongod needs {library}. Install it (Debian, Ubuntu: apt-get install {package}) and start again, "
                    "or set ONSALE_MONGO_URL to your own MongoDB replica set."
                )
        if self.exit_code == -signal.SIGILL:
            return "mongod needs a CPU with AVX; set ONSALE_MONGO_URL to a MongoDB replica set on another machine."
        # mongod logs so much while it stops that the reason is far above the last lines.
        severe = [line for line in log_lines if '"s":"E"' in line or '"s":"F"' in line]
        return super()._explain(end, severe or log_lines)
