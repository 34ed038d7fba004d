"""The issuer's key file: processes that share a folder share one key, and errors are clear."""

import asyncio
import stat
import sys
import threading
from pathlib import Path

import pytest

from auth.dev_issuer.signing import FILE_NAME, load_keys
from settings import SettingsError


def test_key_survives_a_restart_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    first = load_keys(tmp_path / "new" / "folder")
    again = load_keys(tmp_path / "new" / "folder")
    file = tmp_path / "new" / "folder" / FILE_NAME
    assert first.key_set == again.key_set
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [FILE_NAME]


def test_published_key_has_no_private_part(tmp_path: Path) -> None:
    (published,) = load_keys(tmp_path).key_set["keys"]
    assert set(published) == {"kty", "n", "e", "kid", "alg", "use"}


def test_threads_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    barrier = threading.Barrier(4)
    kids: list[str] = []

    def start() -> None:
        barrier.wait()
        kids.append(load_keys(tmp_path).kid)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kids) == 4
    assert len(set(kids)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


async def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    program = "import sys; from pathlib import Path; from auth.dev_issuer.signing import load_keys"
    program += "; print(load_keys(Path(sys.argv[1])).kid)"
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        for _ in range(3)
    ]
    printed = [(await process.communicate())[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert set(printed) == {f"{load_keys(tmp_path).kid}\n".encode()}


@pytest.mark.parametrize("content", ["", "not a key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_error_for_a_broken_key_file_says_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    with pytest.raises(SettingsError, match="delete it and start again"):
        load_keys(tmp_path)
    assert (tmp_path / FILE_NAME).read_text() == content


def test_error_for_a_folder_that_cannot_be_created_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="choose another ONSALE_DATA_DIR"):
        load_keys(tmp_path / "file")
