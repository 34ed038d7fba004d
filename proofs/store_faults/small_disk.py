"""A small disk that can be filled."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILLER = "filler"
CHUNKS = (65_536, 1_024, 1)


@contextmanager
def small_disk(directory: Path, *, megabytes: int) -> Iterator[Path | None]:
    """Mount a file system of this size; yield None without the root privileges that it needs."""
    directory.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(directory)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        yield None
        return
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)  # noqa: S607


def fill_disk(directory: Path) -> Path:
    """Use up all space, and return the file that does so."""
    filler = directory / FILLER
    with filler.open("wb", buffering=0) as file:
        for size in CHUNKS:
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return filler
