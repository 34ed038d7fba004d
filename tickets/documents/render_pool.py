"""Renders documents in separate processes, so that the event loop never waits for one.

A process renders one document at a time. If it dies, or does not answer in time, it is replaced and
the document is tried once more. A document that kills its process therefore fails alone, and no
other document is lost with it. Processes start when they are first needed.
"""

import asyncio
import logging
import os
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path

from domain.errors import TemporarilyUnavailable
from tickets.documents.content import DocumentContent
from tickets.documents.render import RenderedDocument
from tickets.documents.render_process import LENGTH_BYTES, frame

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]
PROCESSES = 2
"""The number of processes in a pool. Each renders about 50 documents a second on a core of its own.
"""
WITHIN_S = 30.0
"""The time limit for a document with one ticket, including the start of its process. Most take 20
ms.
"""
WITHIN_S_PER_TICKET = 0.5
"""The extra time for each further ticket, which takes 10 ms on an idle machine."""
ATTEMPTS = 2
MAX_WAITING = 200
"""The number of documents that may wait for a process. Rendering this many takes some seconds."""
STOP_WITHIN_S = 2.0


class RenderFailed(Exception):
    """No process could render the document. The message says why."""


class RenderPool:
    """Processes that render with the fonts in `folders`."""

    def __init__(self, folders: Sequence[Path], *, processes: int = PROCESSES, within_s: float = WITHIN_S) -> None:
        # The most recently used process comes first, so a quiet server needs only one.
        self._idle = asyncio.LifoQueue[_RenderProcess]()
        self._processes = [_RenderProcess(folders, within_s) for _ in range(processes)]
        self._waiting = 0
        for process in reversed(self._processes):
            self._idle.put_nowait(process)

    @property
    def pids(self) -> list[int]:
        """Return the ids of the running processes."""
        return [process.pid for process in self._processes if process.pid is not None]

    async def render(self, content: DocumentContent, *, name: str) -> bytes:
        """Return the document as PDF. `name` is for log lines, and must not identify a person.

        Raises RenderFailed, or TemporarilyUnavailable if too many documents are waiting or no
        process can be started.
        """
        if self._waiting >= MAX_WAITING:
            raise TemporarilyUnavailable("Too many documents are being made")
        request = frame(pickle.dumps(content))
        further_s = WITHIN_S_PER_TICKET * (len(content.tickets) - 1)
        self._waiting += 1
        try:
            process = await self._idle.get()
        finally:
            self._waiting -= 1
        try:
            rendered = await _render(process, request, name, further_s)
        finally:
            self._idle.put_nowait(process)
        _report(rendered, name)
        return rendered.pdf

    async def aclose(self) -> None:
        """End the processes. No document can be rendered afterward."""
        await asyncio.gather(*[process.stop() for process in self._processes])


class _ProcessDied(Exception):
    pass


class _RenderProcess:
    def __init__(self, folders: Sequence[Path], within_s: float) -> None:
        self._folders = [str(folder) for folder in folders]
        self._within_s = within_s
        self._process: Process | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def ask(self, request: bytes, further_s: float) -> bytes:
        """Return the answer to a request, which may take longer than usual. Raises _ProcessDied.

        A process whose answer was not read, for example because the caller was canceled, is killed,
        because its next answer would belong to the wrong document.
        """
        is_answered = False
        try:
            async with asyncio.timeout(self._within_s + further_s):
                answer = await self._exchange(await self._started(), request)
            is_answered = True
            return answer
        except TimeoutError:
            raise _ProcessDied(f"it gave no answer within {self._within_s + further_s:g} s") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            raise _ProcessDied(f"it ended with {await self._exit_code()}") from None
        finally:
            if not is_answered:
                await self._kill()

    async def stop(self) -> None:
        """End the process after the document that it is rendering."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _started(self) -> Process:
        """Return the process, starting it if it is not running. Raises TemporarilyUnavailable if
        the machine has no memory, process or file descriptor left for it.
        """
        if self.pid is None or self._process is None:
            try:
                self._process = await self._start()
            except OSError as error:
                log.error("a process that renders documents cannot be started: %s", error)
                raise TemporarilyUnavailable(
                    "The process that makes documents cannot be started", retry_after_s=5
                ) from error
        return self._process

    async def _start(self) -> Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tickets.documents.render_process", *self._folders),
            cwd=ROOT,
            # The process needs no secrets.
            env={name: value for name, value in os.environ.items() if not name.startswith("ONSALE_")},
            stdin=PIPE,
            stdout=PIPE,
            # Ctrl-C in the terminal does not reach the new process; this one ends it.
            start_new_session=True,
        )

    async def _exchange(self, process: Process, request: bytes) -> bytes:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(request)
        await process.stdin.drain()
        length = await process.stdout.readexactly(LENGTH_BYTES)
        return await process.stdout.readexactly(int.from_bytes(length, "big"))

    async def _exit_code(self) -> int | None:
        """Return the exit code of a process that is about to end, because it has closed its
        output.
        """
        assert self._process is not None
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                return await self._process.wait()
        except TimeoutError:
            return None

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()


async def _render(process: _RenderProcess, request: bytes, name: str, further_s: float) -> RenderedDocument:
    reason = ""
    for _ in range(ATTEMPTS):
        try:
            answer = pickle.loads(await process.ask(request, further_s))  # noqa: S301 - from our own child process
        except _ProcessDied as died:
            reason = str(died)
            log.warning("a process that rendered %s is replaced: %s", name, reason)
            continue
        assert isinstance(answer, RenderedDocument)
        return answer
    raise RenderFailed(f"The process that rendered {name} died {ATTEMPTS} times: {reason}")


def _report(rendered: RenderedDocument, name: str) -> None:
    if rendered.uncovered:
        codes = ", ".join(f"U+{code:04X}" for code in rendered.uncovered)
        log.warning("no font covers %s, shown as a box in %s; install fonts or set ONSALE_FONT_DIRS", codes, name)
    if rendered.problem:
        log.error("%s does not conform to PDF/UA-1: %s", name, rendered.problem)
