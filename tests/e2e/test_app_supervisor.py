"""`python app.py` starts and stops its stores, and no data is lost if it is killed."""

import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import redis.asyncio
from pymongo import AsyncMongoClient

from storage.embedded.lockfile import LockFile
from tests.support.application import Application, started
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

STORES = ("valkey", "mongod")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    """An application that no test stops."""
    async with started(Application(tmp_path_factory.mktemp("application") / "onsale")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def own_application(tmp_path: Path) -> AsyncIterator[Application]:
    """An application for a test that stops it."""
    async with started(Application(tmp_path / "onsale")) as made:
        yield made


def _running_stores(application: Application) -> list[str]:
    """Return the stores whose lock is held; only a running process holds a lock."""
    running = []
    for name in STORES:
        with LockFile(application.data_dir / name / "child.lock") as lock:
            if not lock.try_lock():
                running.append(name)
    return running


async def test_start_prints_addresses_directory_and_demo_passwords(application: Application) -> None:
    assert f"http://localhost:{application.port}/graphql" in application.output
    assert str(application.data_dir) in application.output
    assert "The password is the user name" in application.output
    page = await application.get("/")
    assert (page.status_code, "<title>" in page.text) == (200, True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_ends_the_application_and_its_stores(own_application: Application, number: signal.Signals) -> None:
    assert _running_stores(own_application) == ["valkey", "mongod"]
    assert await own_application.end(number) == 0
    assert _running_stores(own_application) == []
    assert "Traceback" not in own_application.output


async def test_signal_during_startup_ends_the_application(tmp_path: Path) -> None:
    application = Application(tmp_path / "onsale")
    await application.start()
    lock = application.data_dir / "mongod" / "child.lock"
    await wait_until(lock.exists, what="the start of mongod")
    assert await application.end() == 0
    assert _running_stores(application) == []


async def test_killing_the_application_ends_its_stores_but_keeps_their_data(own_application: Application) -> None:
    application = own_application
    async with redis.asyncio.Redis.from_url(application.store_url("valkey")) as client:
        await client.set("word", "kept")
    async with AsyncMongoClient[dict[str, object]](application.store_url("mongod")) as mongo:
        await mongo.test.words.insert_one({"_id": "word"})
    assert await application.end(signal.SIGKILL) == -signal.SIGKILL
    await wait_until(lambda: not _running_stores(application), what="the end of the stores")

    await application.start()
    await application.ready()
    async with redis.asyncio.Redis.from_url(application.store_url("valkey")) as client:
        assert await client.get("word") == b"kept"
    async with AsyncMongoClient[dict[str, object]](application.store_url("mongod")) as mongo:
        assert await mongo.test.words.count_documents({}) == 1


@pytest.mark.parametrize("name", STORES)
async def test_killed_store_is_restarted_on_the_same_port(application: Application, name: str) -> None:
    before, url = application.store_holder(name), application.store_url(name)
    assert before is not None
    os.kill(before.pid, signal.SIGKILL)
    await wait_until(lambda: application.store_holder(name) not in (before, None), what="a new process")
    await application.ready()
    assert application.store_url(name) == url
    assert "exited with -9; restarting it in 0 s" in application.output


async def test_second_application_on_the_same_data_names_the_first(application: Application) -> None:
    second = Application(application.data_dir.with_name("second"), DATA_DIR=application.data_dir)
    await second.start()
    assert await second.ended() == 1
    assert f"process {application.process.pid}, port {application.port}" in second.output
    assert "Traceback" not in second.output
    assert (await application.get("/readyz")).status_code == 200


async def test_second_application_may_share_the_stores(application: Application) -> None:
    shared = {name: application.store_url(store) for name, store in (("REDIS_URL", "valkey"), ("MONGO_URL", "mongod"))}
    async with started(Application(application.data_dir.with_name("second"), **shared)) as second:
        assert (await second.get("/readyz")).status_code == 200
        assert await second.end() == 0
    assert _running_stores(application) == ["valkey", "mongod"]


async def test_error_names_a_port_in_use_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        application = Application(tmp_path / "onsale", PORT=port)
        await application.start()
        assert await application.ended() == 1
    assert f"port {port} on 127.0.0.1 cannot be opened: another program uses it" in application.output
    assert "Traceback" not in application.output
    assert not (application.data_dir / "valkey").exists()


async def test_error_names_a_directory_that_cannot_hold_data(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    application = Application(tmp_path / "onsale", DATA_DIR=tmp_path / "file" / "below")
    await application.start()
    assert await application.ended() == 1
    assert "below cannot hold data: Not a directory; set ONSALE_DATA_DIR" in application.output
    assert "Traceback" not in application.output
