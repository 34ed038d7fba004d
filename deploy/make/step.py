#!/usr/bin/env python3
"""Runs one step of the Makefile, and shows its title, progress and duration, and the size of the
folder that it fills.

step.py 'Installing 34 packages' [--count '^Collecting ' --of 34] [--into .venv] -- pip …

The output of the command is shown only if the command fails.
"""

import argparse
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

ON_TERMINAL_EVERY_S = 0.5
ELSEWHERE_EVERY_S = 10.0
LAST_LINES = 20


class Output:
    """The last lines of a command's output, and the number of lines that match the pattern."""

    def __init__(self, pattern: str | None) -> None:
        self._pattern = re.compile(pattern) if pattern else None
        self.count = 0
        self.last: deque[str] = deque(maxlen=LAST_LINES)

    def add(self, line: str) -> None:
        self.last.append(line)
        if self._pattern is not None and self._pattern.search(line):
            self.count += 1


def main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    started = time.monotonic()
    _print(f"{options.title} …\n")
    output = Output(options.count)
    code = _run(options.command, output, of=options.of, started=started)
    took_s = time.monotonic() - started
    if code:
        _print("".join(output.last))
        _print(f"{options.title}: failed after {took_s:.0f} s\n")
        return code
    _print(f"  done in {took_s:.0f} s{_size(options.into)}\n")
    return 0


def progress_text(count: int, of: int | None, elapsed_s: float) -> str:
    return f"  {elapsed_s:.0f} s" if of is None else f"  {min(count, of)} of {of}, {elapsed_s:.0f} s"


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("step.py", description="Runs a command and shows its progress.")
    parser.add_argument("title")
    parser.add_argument(
        "--count", metavar="PATTERN", help="count the output lines that match PATTERN as completed items"
    )
    parser.add_argument("--of", type=int, metavar="N", help="the expected number of items")
    parser.add_argument("--into", type=Path, metavar="DIR", help="the folder whose size is printed at the end")
    parser.add_argument("command", nargs="+")
    return parser.parse_args(arguments)


def _run(command: Sequence[str], output: Output, *, of: int | None, started: float) -> int:
    on_terminal = sys.stdout.isatty()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        reader = threading.Thread(target=_read, args=(process, output))
        reader.start()
        while True:
            try:
                code = process.wait(ON_TERMINAL_EVERY_S if on_terminal else ELSEWHERE_EVERY_S)
            except subprocess.TimeoutExpired:
                text = progress_text(output.count, of, time.monotonic() - started)
                _print(f"\r{text}\x1b[K" if on_terminal else f"{text}\n")
            else:
                break
        reader.join()
    if on_terminal:
        _print("\r\x1b[K")
    return code


def _read(process: "subprocess.Popen[str]", output: Output) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        output.add(line)


def _size(folder: Path | None) -> str:
    if folder is None:
        return ""
    total = sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
    return f", {total / 1_000_000:.0f} MB in {folder}"


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
