"""Installs npm packages from a lock file when a test first uses them, and runs programs."""

import asyncio
import fcntl
import os
import shutil
from pathlib import Path

import pytest


async def installed(directory: Path, *, for_what: str) -> Path:
    """Install a directory's packages if its lock file is newer, and return the directory.

    If npm is missing, the test is skipped, except in CI, where it fails.
    """
    npm = _find("npm", for_what)
    done = directory / "node_modules" / ".package-lock.json"
    # Tests of another process may use the same packages.
    with (directory / "package.json").open() as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        if not done.exists() or done.stat().st_mtime < (directory / "package-lock.json").stat().st_mtime:
            await output_of(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", directory=directory)
    return directory


async def run_script(source: str, *, for_what: str) -> str:
    """Run a JavaScript module, and return its output without the last line break."""
    node = _find("node", for_what)
    return (await output_of(node, "--input-type=module", "--eval", source, directory=Path.cwd())).decode().rstrip()


async def output_of(*command: str, directory: Path) -> bytes:
    process = await asyncio.create_subprocess_exec(*command, cwd=directory, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0, f"{' '.join(command)} ended with {process.returncode}"
    return output


def _find(program: str, for_what: str) -> str:
    found = shutil.which(program)
    if found is not None:
        return found
    message = f"{program} is missing, so {for_what}: install Node.js 20 or later"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
