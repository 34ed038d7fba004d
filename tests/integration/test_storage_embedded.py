"""Embedded stores keep their port and data over every kind of end, and a new owner cleans up after a dead one."""

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


async def test_stopped_and_started_again_it_has_its_port_and_data(child: ServerProcess) -> None:
    await child.start()
    _write(child)
    before = child.url
    await child.stop()
    assert child.exit_code == 0
    await child.start()
    assert (child.url, _read(child)) == (before, "kept")


async def test_killed_and_started_again_it_has_its_port_and_data(child: ServerProcess) -> None:
    await child.start()
    _write(child)
    before = child.url
    await child.kill()
    assert child.exit_code == -signal.SIGKILL
    await child.start()
    assert (child.url, _read(child)) == (before, "kept")


async def test_a_new_owner_ends_the_leftover_and_takes_over_its_port_and_data(child: ServerProcess) -> None:
    await child.start()
    _write(child)
    heir = type(child)(child.directory, executable=child.executable, port=None, options=())
    try:
        await heir.start()
        assert child.exit_code == -signal.SIGKILL
        assert (heir.url, _read(heir)) == (child.url, "kept")
    finally:
        await heir.kill()


async def test_mongod_moves_to_another_port_with_its_data(tmp_path: Path) -> None:
    """A replica set knows its members by port, and a member that does not find itself there never becomes primary."""
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


async def test_a_process_that_got_the_number_of_a_dead_child_is_left_alone(tmp_path: Path) -> None:
    stranger = await asyncio.create_subprocess_exec("sleep", "60", start_new_session=True)
    (tmp_path / "child.lock").write_text(f"{stranger.pid} 20000\n")
    child = supervisor.make_valkey(tmp_path)
    try:
        await child.start()
        assert stranger.returncode is None
    finally:
        await child.kill()
        stranger.kill()
        await stranger.wait()


OWNER = """
import asyncio, pathlib, sys
from storage.embedded import supervisor
async def main():
    await supervisor.make_valkey(pathlib.Path(sys.argv[1])).start()
    print("started", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_it_dies_with_its_owner(tmp_path: Path) -> None:
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
async def test_a_taken_port_is_named(tmp_path: Path, make: Callable[..., ServerProcess]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerStartError, match="Address already in use"):
            await make(tmp_path, port=port).start()


async def test_a_missing_library_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_a_platform_without_a_wheel_is_told_what_to_set(
    find: Callable[[], Path], setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ServerStartError, match=setting):
        find()
