"""The lock file: one holder at a time, whose process and port others can read."""

from pathlib import Path

import pytest

from storage.embedded.lockfile import LockFile, LockHolder


def test_second_process_is_refused_and_learns_who_holds_the_lock(tmp_path: Path) -> None:
    with LockFile(tmp_path / "lock") as first, LockFile(tmp_path / "lock") as second:
        assert first.try_lock()
        first.record(LockHolder(pid=123, port=8000))
        assert not second.try_lock()
        assert second.last_holder() == LockHolder(pid=123, port=8000)


def test_closed_lock_is_free_and_still_names_its_last_holder(tmp_path: Path) -> None:
    with LockFile(tmp_path / "lock") as first:
        assert first.try_lock()
        first.record(LockHolder(pid=99_999, port=32_000))
        first.record(LockHolder(pid=1, port=2))
    with LockFile(tmp_path / "lock") as second:
        assert second.try_lock()
        assert second.last_holder() == LockHolder(pid=1, port=2)


@pytest.mark.parametrize("text", ["", "12", "12 x", "-1 2", "1 2 3"])
def test_damaged_lock_file_names_no_holder(tmp_path: Path, text: str) -> None:
    (tmp_path / "lock").write_text(text)
    with LockFile(tmp_path / "lock") as lock:
        assert lock.last_holder() is None
        assert lock.try_lock()


def test_others_do_not_see_a_cleared_holder(tmp_path: Path) -> None:
    with LockFile(tmp_path / "lock") as first, LockFile(tmp_path / "lock") as second:
        first.record(LockHolder(pid=123, port=8000))
        first.clear()
        assert second.last_holder() is None
