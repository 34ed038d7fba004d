"""Embedded stores keep their port and data after a stop or a kill, even under a new owner."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
import redis
from pymongo import MongoClient

from storage.embedded import supervisor
from storage.embedded.lockfile import LockFile
from storage.embedded.process import ServerProcess, ServerStartError
from tests.support.waiting import wait_until


def _write(child: ServerProcess) -> None:
    if child.name == "Valkey":
        with redis.Redis.from_url(child.url) as client:
            client.set("word", "kept")
    else:
        with MongoClient[dict[str, object]](child.url) as mongo:
            mongo.test.words.insert_one({"_id": "word", "text": "kept"})


def _read(child: ServerProcess) -> object:
    if child.name == "Valkey":
        with redis.Redis.from_url(child.url, decode_responses=True) as client:
            return client.get("word")
    with MongoClient[dict[str, object]](child.url) as mongo:
        found = mongo.test.words.find_one({"_id": "word"})
        return None if found is None else found["text"]


@pytest_asyncio.fixture(params=[supervisor.make_valkey, supervisor.make_mongod], ids=["valkey", "mongod"])
async def child(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ServerProcess]:
    make: Callable[[Path], ServerProcess] = request.param
    made = make(tmp_path / "store")
    yield made
    await made.kill()


async def test_a_stopped_store_keeps_its_port_and_data(child: ServerProcess) -> None:
    await child.start()
    _write(child)
    before = child.url
    await child.stop()
    assert child.exit_code == 0
    await child.start()
    assert (child.url, _read(child)) == (before, "kept")


async def test_a_killed_store_keeps_its_port_and_data(child: ServerProcess) -> None:
    await child.start()
    _write(child)
    before = child.url
    await child.kill()
    assert child.exit_code == -signal.SIGKILL
    await child.start()
    assert (child.url, _read(child)) == (before, "kept")


async def test_a_new_owner_kills_the_old_process_and_keeps_port_and_data(child: ServerProcess) -> None:
    await child.start()
    _write(child)
    successor = type(child)(child.directory, executable=child.executable, port=None, options=())
    try:
        await successor.start()
        assert child.exit_code == -signal.SIGKILL
        assert (successor.url, _read(successor)) == (child.url, "kept")
    finally:
        await successor.kill()


async def test_mongod_moves_to_another_port_with_its_data(tmp_path: Path) -> None:
    """A replica set lists its members by port, and an unlisted member never becomes primary."""
    first = supervisor.make_mongod(tmp_path)
    await first.start()
    _write(first)
    await first.stop()
    second = supervisor.make_mongod(tmp_path, port=first.port + 1)
    try:
        await second.start()
        assert _read(second) == "kept"
    finally:
        await second.kill()


async def test_another_process_with_the_recorded_pid_is_not_killed(tmp_path: Path) -> None:
    other = await asyncio.create_subprocess_exec("sleep", "600", start_new_session=True)
    (tmp_path / "child.lock").write_text(f"{other.pid} 20000\n")
    child = supervisor.make_valkey(tmp_path)
    try:
        await child.start()
        assert other.returncode is None
    finally:
        await child.kill()
        other.kill()
        await other.wait()


OWNER = """
import asyncio, pathlib, sys
from storage.embedded import supervisor
async def main():
    await supervisor.make_valkey(pathlib.Path(sys.argv[1])).start()
    print("started", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_a_store_stops_when_its_owner_is_killed(tmp_path: Path) -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    assert await owner.stdout.readline() == b"started\n"
    with LockFile(tmp_path / "child.lock") as lock:
        assert not lock.try_lock()
        owner.kill()
        await owner.wait()
        await wait_until(lock.try_lock, what="the end of the child")
        holder = lock.last_holder()
    assert holder is not None
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", holder.port)


@pytest.mark.parametrize("make", [supervisor.make_valkey, supervisor.make_mongod])
async def test_error_says_that_the_port_is_in_use(tmp_path: Path, make: Callable[..., ServerProcess]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        with pytest.raises(ServerStartError, match="Address already in use"):
            await make(tmp_path, port=port).start()


async def test_error_names_a_missing_library_and_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "mongod"
    program.write_text(
        "#!/bin/sh\necho 'mongod: error while loading shared libraries: libcurl.so.4: cannot open shared object file:"
        " No such file or directory'\nexit 127\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(supervisor, "mongod_executable", lambda: program)
    with pytest.raises(ServerStartError, match=r"libcurl\.so\.4.*apt-get install libcurl4.*ONSALE_MONGO_URL"):
        await supervisor.make_mongod(tmp_path / "store").start()


@pytest.mark.parametrize(
    ("find", "setting"),
    [(supervisor.valkey_executable, "ONSALE_REDIS_URL"), (supervisor.mongod_executable, "ONSALE_MONGO_URL")],
)
def test_error_names_the_setting_if_no_wheel_is_available(
    find: Callable[[], Path], setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ServerStartError, match=setting):
        find()
