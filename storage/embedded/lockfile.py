"""A lock file for a directory: it names the process that owns the directory, and is locked while
that process runs.

The kernel releases the lock when its last holder exits for any reason, so a stale file never blocks
a start.
"""

import fcntl
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class LockHolder:
    pid: int
    port: int


class LockFile:
    def __init__(self, path: Path) -> None:
        # The mode is "a+", because opening the file must not erase the content written by the
        # current holder.
        self._file = path.open("a+", encoding="ascii")

    def try_lock(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def last_holder(self) -> LockHolder | None:
        """Return the process that holds or last held the lock; None if no process is recorded."""
        self._file.seek(0)
        words = self._file.read().split()
        if len(words) != 2 or not all(word.isdecimal() for word in words):
            return None
        return LockHolder(int(words[0]), int(words[1]))

    def clear(self) -> None:
        self._file.seek(0)
        self._file.truncate()

    def record(self, holder: LockHolder) -> None:
        self.clear()
        self._file.write(f"{holder.pid} {holder.port}\n")
        self._file.flush()

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        """Release the lock.

        If a child inherited the descriptor, the file stays locked until that child exits.
        """
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
