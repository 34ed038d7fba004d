"""`python -m tickets.documents.render_process [folder …]` renders documents until its input ends.

A request is a pickled DocumentContent, and an answer is a pickled RenderedDocument. Each is
preceded by its length, as four bytes. Both ends are our processes, so unpickling is safe. The input
ends when the parent process ends, even if it is killed.
"""

import os
import pickle
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from tickets.documents.render import Renderer

LENGTH_BYTES = 4
NICENESS = 5
"""Rendering must not delay the processes that sell tickets."""


def read_message(source: BinaryIO) -> bytes | None:
    """Return the next message, or None at the end of the input."""
    length = source.read(LENGTH_BYTES)
    if len(length) < LENGTH_BYTES:
        return None
    size = int.from_bytes(length, "big")
    message = source.read(size)
    return message if len(message) == size else None


def frame(message: bytes) -> bytes:
    return len(message).to_bytes(LENGTH_BYTES, "big") + message


def report_crash(kind: type[BaseException], _: BaseException, where: TracebackType | None) -> None:
    """Write why the process ends. Error messages may contain names and codes, so they are left
    out.
    """
    sys.stderr.write(f"{kind.__name__} in a process that renders documents:\n{''.join(traceback.format_tb(where))}")


def main(folders: list[str]) -> None:
    sys.excepthook = report_crash
    os.nice(NICENESS)
    # The output of a library must not mix with the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    renderer = Renderer([Path(folder) for folder in folders])
    while (request := read_message(sys.stdin.buffer)) is not None:
        rendered = renderer.render(pickle.loads(request))  # noqa: S301 - from our own parent process
        answers.write(frame(pickle.dumps(rendered)))
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
