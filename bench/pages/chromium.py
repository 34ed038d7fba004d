"""Runs the programs in bench/pages/browser, which measure a page in Chromium.

`install` installs their packages, and `run_program` runs one of them and returns its result.
"""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

from bench.clients.console import write_status
from bench.metrics import NotMeasured

BROWSER = Path(__file__).parent / "browser"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
PACKAGES = ("lighthouse", "playwright-core")


def find_chromium() -> str:
    """Return the path of Chromium. Raises NotMeasured if it is missing."""
    found = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if found is None:
        raise NotMeasured("chromium is missing; install it")
    return found


async def install() -> None:
    """Install the packages if the lock file is newer. Raises NotMeasured if npm is missing."""
    if shutil.which("npm") is None:
        raise NotMeasured("npm is missing; install Node.js 20.19 or later with npm")
    stamp = BROWSER / "node_modules" / ".package-lock.json"
    if not stamp.exists() or stamp.stat().st_mtime < (BROWSER / "package-lock.json").stat().st_mtime:
        write_status("pages: installing Lighthouse, once: half a minute and 200 MB\n")
        await _output_of("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


def package_versions() -> dict[str, str]:
    """Return the pinned versions of the programs' packages."""
    pinned = json.loads((BROWSER / "package.json").read_text())["dependencies"]
    return {name: pinned[name] for name in PACKAGES}


async def run_in_node(program: str, *arguments: str, given: object = None) -> Any:
    """Run a program with `given` as JSON on its standard input, and return what it prints.

    Raises NotMeasured if it fails.
    """
    return json.loads(await _output_of("node", program, *arguments, given=json.dumps(given)))


async def _output_of(*command: str, given: str = "") -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=BROWSER,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        output, errors = await process.communicate(given.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise NotMeasured(f"`{' '.join(command[:2])}` failed: {errors.decode(errors='replace').strip()[-800:]}")
    return output.decode()
