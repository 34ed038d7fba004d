"""Other commands find the embedded stores of `make run`, or say what to do if none are running."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from storage.embedded.lockfile import LockFile, LockHolder
from storage.embedded.ports import free_port
from storage.embedded.process import ServerStartError
from storage.embedded.supervisor import find_stores
from tests.support.application import ROOT, Application, started


async def list_dead_letters(data_dir: Path, **environment: str) -> tuple[int | None, str]:
    """Run the command with no stores in its environment; return its exit code and output."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ONSALE_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workers", "deadletters"),
        cwd=ROOT,
        env=plain | {"ONSALE_DATA_DIR": str(data_dir)} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    async with started(Application(tmp_path_factory.mktemp("application") / "data")) as made:
        yield made


@pytest.mark.asyncio(loop_scope="module")
async def test_startup_output_says_what_the_application_waits_for(application: Application) -> None:
    first, second = application.output.splitlines()[:2]
    assert first.startswith(f"Onsale is starting its stores in {application.data_dir}; ")
    assert second.startswith("Onsale is running at ")


@pytest.mark.asyncio(loop_scope="module")
async def test_dead_letters_of_the_embedded_stores_are_listed(application: Application) -> None:
    assert await list_dead_letters(application.data_dir) == (0, "no dead letters\n")


async def test_error_for_stopped_stores_names_the_next_step(tmp_path: Path) -> None:
    code, output = await list_dead_letters(tmp_path / "none")
    assert code == 2
    for words in (str(tmp_path / "none"), "make run", "ONSALE_REDIS_URL and ONSALE_MONGO_URL"):
        assert words in output


def test_stores_that_have_stopped_are_not_found(tmp_path: Path) -> None:
    port = free_port()
    assert port is not None
    (tmp_path / "mongod").mkdir()
    with LockFile(tmp_path / "mongod" / "child.lock") as lock:
        lock.record(LockHolder(1, port))
    with pytest.raises(ServerStartError, match="set ONSALE_MONGO_URL"):
        find_stores(tmp_path, redis_url="redis://127.0.0.1:1/0", mongo_url=None)


def test_stores_named_in_the_environment_are_not_searched_for(tmp_path: Path) -> None:
    urls = find_stores(tmp_path, redis_url="redis://r", mongo_url="mongodb://m")
    assert (urls.redis, urls.mongo) == ("redis://r", "mongodb://m")
