"""Runs Redis and mongod with the configuration in deploy/: TLS, users with few rights, and a
replica set with a key file.
"""

import base64
import hashlib
import json
import os
import re
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient

from storage.embedded import supervisor
from storage.embedded.mongod import Mongod
from storage.embedded.ports import free_port
from storage.embedded.process import ServerProcess
from storage.embedded.valkey import Valkey
from tests.support.certificates import make_authority
from tests.support.store_servers import running
from tests.support.stores import redis7
from tests.support.waiting import wait_until

FOLDER = Path(__file__).parents[2] / "deploy"
PASSWORD = secrets.token_hex(24)
"""The password of all users of both stores."""


@dataclass(frozen=True, slots=True)
class ShippedStores:
    """Redis, and the addresses of both stores for Onsale and for their operators."""

    redis: ServerProcess
    redis_url: str
    mongo_url: str
    operator_url: str
    admin_url: str


class _ConfiguredRedis(Valkey):
    def _arguments(self) -> list[str]:
        return [str(self.directory / "redis-onsale.conf")]

    async def _is_ready(self) -> bool:
        return True


class _ConfiguredMongod(Mongod):
    def _arguments(self) -> list[str]:
        return ["--config", str(self.directory / "mongod.conf")]

    async def _is_ready(self) -> bool:
        return True


@asynccontextmanager
async def running_shipped_stores(directory: Path) -> AsyncIterator[ShippedStores]:
    authority = make_authority(directory)
    certificate = authority.issue(directory / "store.pem", days=1)
    redis_port, mongo_port = free_port(), free_port()
    redis = _ConfiguredRedis(
        directory / "redis", executable=redis7(directory / "unused").executable, port=redis_port, options=()
    )
    mongod = _ConfiguredMongod(
        directory / "mongod", executable=supervisor.mongod_executable(), port=mongo_port, options=()
    )
    for server in (redis, mongod):
        server.directory.mkdir()
    _write_redis(redis.directory, redis_port, certificate, authority.file)
    _write_mongod(mongod.directory, mongo_port, certificate, authority.file)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running(redis))
        await stack.enter_async_context(running(mongod))
        tls = f"tls=true&tlsCAFile={authority.file}"
        await _create_users(mongo_port, tls)
        yield ShippedStores(
            redis,
            redis_url=_redis_url("onsale", redis_port, authority.file),
            mongo_url=_mongo_url("onsale", mongo_port, tls),
            operator_url=_redis_url("operator", redis_port, authority.file),
            admin_url=_mongo_url("admin", mongo_port, tls),
        )


def _redis_url(user: str, port: int | None, authority: Path) -> str:
    return f"rediss://{user}:{PASSWORD}@127.0.0.1:{port}/0?ssl_ca_certs={authority}"


def _mongo_url(user: str, port: int | None, tls: str) -> str:
    return f"mongodb://{user}:{PASSWORD}@127.0.0.1:{port}/?replicaSet=onsale&authSource=admin&{tls}"


def _write_redis(folder: Path, port: int | None, certificate: Path, authority: Path) -> None:
    users = (FOLDER / "redis" / "onsale-users.acl").read_text()
    hashed = hashlib.sha256(PASSWORD.encode()).hexdigest()
    (folder / "users.acl").write_text(re.sub(r"SHA256_OF_[A-Z]+", hashed, users))
    replaced = (
        ("tls-port 6379", f"tls-port {port}"),
        ("/etc/redis/tls/store.pem", str(certificate)),
        ("/etc/redis/tls/authority.pem", str(authority)),
        ("/etc/redis/onsale-users.acl", str(folder / "users.acl")),
        ("dir /var/lib/redis/onsale", f"dir {folder}"),
    )
    _write_changed(FOLDER / "redis" / "redis-onsale.conf", folder, replaced)


def _write_mongod(folder: Path, port: int | None, certificate: Path, authority: Path) -> None:
    key = folder / "keyfile"
    key.touch(mode=0o400)
    os.chmod(key, 0o600)
    key.write_bytes(base64.b64encode(os.urandom(96)))
    replaced = (
        ("port: 27017", f"port: {port}"),
        ("/etc/mongodb/tls/store.pem", str(certificate)),
        ("/etc/mongodb/tls/authority.pem", str(authority)),
        ("/etc/mongodb/keyfile", str(key)),
        ("/var/lib/mongodb", str(folder)),
        ("/var/log/mongodb/mongod.log", str(folder / "mongod.log")),
        ("cacheSizeGB: 2", "cacheSizeGB: 0.25"),
        ("oplogSizeMB: 4096", "oplogSizeMB: 64"),
    )
    _write_changed(FOLDER / "mongodb" / "mongod.conf", folder, replaced)


def _write_changed(shipped: Path, folder: Path, replaced: Sequence[tuple[str, str]]) -> None:
    text = shipped.read_text()
    for old, new in replaced:
        assert old in text, f"{shipped.name} has no {old}"
        text = text.replace(old, new)
    (folder / shipped.name).write_text(text)


async def _create_users(port: int | None, tls: str) -> None:
    """Create the replica set and the users, as onsale.js does with mongosh."""
    address = f"127.0.0.1:{port}/?directConnection=true&{tls}"
    async with _client(f"mongodb://{address}") as client:
        settings = _argument_of("rs.initiate")["settings"]
        members = [{"_id": 0, "host": f"127.0.0.1:{port}"}]
        await client.admin.command("replSetInitiate", {"_id": "onsale", "members": members, "settings": settings})

        async def is_primary() -> bool:
            return bool((await client.admin.command("hello"))["isWritablePrimary"])

        await wait_until(is_primary, what="the primary")
        await client.admin.command("createUser", "admin", pwd=PASSWORD, roles=["root"])
    async with _client(f"mongodb://admin:{PASSWORD}@{address}&authSource=admin") as client:
        role = _argument_of("users.createRole")
        await client.admin.command("createRole", role.pop("role"), **role)
        await client.admin.command("createUser", "onsale", pwd=PASSWORD, roles=["onsale"])


def _client(url: str) -> AsyncMongoClient[dict[str, Any]]:
    return AsyncMongoClient(url)


def _argument_of(function: str) -> dict[str, Any]:
    """Return the object that onsale.js passes to this function."""
    text = (FOLDER / "mongodb" / "onsale.js").read_text()
    found = re.search(rf"{re.escape(function)}\((\{{.*?\}})\);", text, re.DOTALL)
    assert found is not None
    without_comments = re.sub(r"//.*", "", found[1]).replace("members,", "")
    quoted = re.sub(r"(\w+):", r'"\1":', without_comments)
    parsed: dict[str, Any] = json.loads(re.sub(r",(\s*[}\]])", r"\1", quoted))
    return parsed
