"""`python app.py` reads secrets from credential files, and keeps them out of the environment of its
processes.
"""

from pathlib import Path

import pytest

from settings.credentials import FOLDER
from storage.embedded.process import ServerProcess
from tests.support.application import started
from tests.support.many_processes import ManyProcesses

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_processes_read_the_addresses_of_stores_from_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module_valkey: ServerProcess, module_mongod: ServerProcess
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "ONSALE_REDIS_URL").write_text(module_valkey.url)
    (folder / "ONSALE_MONGO_URL").write_text(module_mongod.url)
    monkeypatch.setenv(FOLDER, str(folder))
    async with started(ManyProcesses(tmp_path / "onsale")) as application:
        processes = [*application.servers(), *application.workers()]
        environments = [_environment(pid) for pid in processes]
    assert len(environments) == 3
    assert [text for text in environments if b"ONSALE_REDIS_URL" in text or b"ONSALE_MONGO_URL" in text] == []
    assert not (tmp_path / "onsale" / "valkey").exists()


def _environment(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()
