"""Converts uploaded images, each in a process of its own, so that the event loop never waits and a
file that crashes a decoder harms nothing else.

Uploads are rare, so no process is kept; starting one takes a quarter of a second.
"""

import asyncio
import json
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from domain.errors import TemporarilyUnavailable
from domain.images.image import RenderedSize
from domain.images.uploads import UploadProblem, UploadRefused
from images.formats import require_supported_format

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[1]
COMMAND = (sys.executable, "-m", "images.convert_process")
PROCESSES = 2
"""Images that are converted at the same time."""
MAX_WAITING = 20
"""Images that may wait to be converted. Converting all of them takes several seconds."""
WITHIN_S = 30.0
"""The longest time that converting an image may take. Most take under a second."""


class ImageConverter:
    def __init__(
        self, *, command: Sequence[str] = COMMAND, processes: int = PROCESSES, within_s: float = WITHIN_S
    ) -> None:
        self._command = command
        self._free = asyncio.Semaphore(processes)
        self._waiting = 0
        self._within_s = within_s

    async def convert(self, content: bytes) -> tuple[RenderedSize, ...]:
        """Return the sizes of an uploaded image.

        Raises UploadRefused, or TemporarilyUnavailable if too many images are waiting.
        """
        require_supported_format(content)
        if self._waiting >= MAX_WAITING:
            raise TemporarilyUnavailable("Too many images are being converted")
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            return _read_answer(await self._run(content))
        finally:
            self._free.release()

    async def _run(self, content: bytes) -> bytes:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=ROOT,
            # The process needs no secrets.
            env={name: value for name, value in os.environ.items() if not name.startswith("ONSALE_")},
            stdin=PIPE,
            stdout=PIPE,
            # Ctrl-C in the terminal does not reach the new process; this one ends it.
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self._within_s):
                answer, _ = await process.communicate(content)
        except TimeoutError:
            log.warning("an image was not converted within %g s", self._within_s)
            raise UploadRefused(UploadProblem.TOO_EXPENSIVE) from None
        finally:
            await _end(process)
        if process.returncode != 0:
            log.warning("the process that converted an image ended with %s", process.returncode)
            raise UploadRefused(UploadProblem.TOO_EXPENSIVE)
        return answer


async def _end(process: Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _read_answer(answer: bytes) -> tuple[RenderedSize, ...]:
    line, _, files = answer.partition(b"\n")
    head = json.loads(line)
    if "problem" in head:
        raise UploadRefused(UploadProblem(head["problem"]))
    sizes, start = [], 0
    for size in head["sizes"]:
        end = start + size["bytes"]
        sizes.append(RenderedSize(size["width"], size["height"], files[start:end]))
        start = end
    return tuple(sizes)
