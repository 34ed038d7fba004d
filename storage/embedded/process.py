"""A server that runs as a child process with its own directory.

It is killed when its parent exits, and restarts with the same port and data.

The child inherits the lock on `child.lock`, which names its pid and port. While the file is locked,
the process group with that pid is running, and the pid cannot belong to an unrelated process. A
leftover process can therefore be killed safely.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, ClassVar

from storage.embedded import launcher
from storage.embedded.lockfile import LockFile, LockHolder
from storage.embedded.ports import accepts_connections, free_port

START_TIMEOUT_S = 60.0  # long enough for a mongod that replays its journal on a slow disk
STOP_TIMEOUT_S = 10.0
POLL_S = 0.02
LOG_LIMIT_BYTES = 10_000_000


class ServerStartError(RuntimeError):
    """The server could not be started. The message says why and what to do."""


class ServerProcess(ABC):
    """A child process with its lock, log and readiness check.

    Start it from a thread that runs until this process exits, because Linux kills the child when
    the thread that started it ends.
    """

    name: ClassVar[str]
    start_timeout_s: ClassVar[float] = START_TIMEOUT_S

    def __init__(self, directory: Path, *, executable: Path, port: int | None, options: Sequence[str]) -> None:
        self.directory = directory.resolve()
        self.executable = executable
        self._port = port
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    @abstractmethod
    def url(self) -> str: ...

    @property
    def working_directory(self) -> Path:
        return self.directory

    @abstractmethod
    def _arguments(self) -> list[str]: ...

    @abstractmethod
    async def _is_ready(self) -> bool:
        """Return whether the server answers; called once its port accepts connections."""

    @property
    def port(self) -> int:
        if self._port is None:
            raise RuntimeError(f"{self.name} has no port before its first start")
        return self._port

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Return the exit code, which is negative if a signal ended the server; None before the
        start and while the server runs.
        """
        return None if self._process is None else self._process.poll()

    async def start(self) -> None:
        """Start the server, and return once it answers. Raises ServerStartError.

        It may be called again after `stop`, `kill` or a crash.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        with LockFile(self.directory / "child.lock") as lock:
            await self._end_leftover(lock)
            if self._port is None:
                self._port = self._choose_port(lock.last_holder())
            # A process that finds the lock held must not mistake an earlier pid for the
            # holder's.
            lock.clear()
            self._process = self._spawn(lock)
            lock.record(LockHolder(self._process.pid, self._port))
        try:
            await self._wait_until_ready()
        except BaseException:
            await self.kill()
            raise

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    async def _end(self, first: signal.Signals) -> None:
        if self._process is None:
            return
        for number in (first, signal.SIGKILL):
            if self._process.poll() is None:
                os.killpg(self._process.pid, number)
            if await _wait_for(STOP_TIMEOUT_S, lambda: self.exit_code is not None):
                return

    def _choose_port(self, last: LockHolder | None) -> int:
        """Return the last port if it is free, so that a saved URL stays valid. Otherwise return any
        free port.

        Raises ServerStartError if no port is free.
        """
        port = free_port(first=last.port if last else None)
        if port is None:
            raise ServerStartError(f"{self.name} found no free port on 127.0.0.1")
        return port

    async def _end_leftover(self, lock: LockFile) -> None:
        if lock.try_lock():
            return
        holder = lock.last_holder()
        if holder is not None:
            _kill_group(holder.pid)
        if not await _wait_for(STOP_TIMEOUT_S, lock.try_lock):
            raise ServerStartError(
                f"another {self.name} uses {self.directory} and does not stop; stop it and start again"
            )

    def _spawn(self, lock: LockFile) -> subprocess.Popen[bytes]:
        command_prefix = [sys.executable, "-I", "-S", launcher.__file__, str(os.getpid())]
        command = [str(self.executable), *self._arguments(), *self._options]
        with self._open_log() as log:
            # In a new session, Ctrl-C in the terminal does not reach the child; the parent stops
            # its children in order.
            return subprocess.Popen(
                [*command_prefix, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.working_directory,
                start_new_session=True,
                pass_fds=(lock.fileno(),),
            )

    async def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self.start_timeout_s
        while not (accepts_connections(self.port) and await self._is_ready()):
            if (code := self.exit_code) is not None:
                raise ServerStartError(self._explain(f"ended with {code}", self._log_lines()))
            if time.monotonic() > deadline:
                raise ServerStartError(
                    self._explain(f"did not answer within {self.start_timeout_s:.0f} s", self._log_lines())
                )
            await asyncio.sleep(POLL_S)

    def _explain(self, end: str, log_lines: Sequence[str]) -> str:
        """Return the error message for a failed start, given the lines logged since the start."""
        return "\n".join(
            [f"{self.name} {end} during its start. The last lines of its log {self._log_path}:", *log_lines[-5:]]
        )

    @property
    def _log_path(self) -> Path:
        return self.directory / "log"

    def _open_log(self) -> BinaryIO:
        """Open the log for appending, so that the reason for a crash survives the restart.

        One older log file is kept.
        """
        if self._log_path.exists() and self._log_path.stat().st_size > LOG_LIMIT_BYTES:
            self._log_path.replace(self._log_path.with_suffix(".old"))
        log = self._log_path.open("ab")
        self._log_start = log.tell()
        return log

    def _log_lines(self) -> list[str]:
        return self._log_path.read_bytes()[self._log_start :].decode(errors="replace").splitlines()


def flags(settings: Mapping[str, str]) -> list[str]:
    return [word for key, value in settings.items() for word in (f"--{key}", value)]


async def _wait_for(timeout_s: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(POLL_S)
    return True


def _kill_group(pid: int) -> None:
    # The process may have ended since the check.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
