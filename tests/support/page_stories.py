"""Runs stories of buyers in Chromium, on an application whose server and stores they may stop.

`--pages` also runs the long tests of the pages.
"""

import asyncio
import fcntl
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from storage.embedded.lockfile import LockHolder
from tests.support.application import ROOT, Application, started
from tests.support.browsers import Answers, BrowserDriver, driving, find_chromium
from tests.support.commands import run_command
from tests.support.node import installed
from tests.support.waiting import wait_until

DRIVER = ROOT / "tests" / "e2e" / "browser"
STORIES = ROOT / "tests" / "pages" / "browser"
NOT_TESTED = "the pages were not tested in a browser"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pages", action="store_true", help="also run the long tests of the pages")


class Site:
    """An application with the demo concerts, and a browser that runs stories on its pages."""

    def __init__(self, application: Application, driver: BrowserDriver) -> None:
        self.application = application
        self._driver = driver

    @property
    def url(self) -> str:
        return url_of(self.application)

    async def run(self, name: str, shots: Path, **given: object) -> Any:
        """Run a story, and return its observations. `url` replaces the address of this application.

        Its pages must not request another host, log an error, throw, or break their policy.
        """
        answers: Answers = {
            "killServer": self._kill_server,
            "startServer": self._start_server,
            "killStore": self._kill_store,
            "signalStore": self._signal_store,
        }
        report = await self._driver.run_answering(answers, {"name": name, "shots": str(shots), **given})
        faults = {kind: report[kind] for kind in ("foreignRequests", "errors", "violations")}
        assert not any(faults.values()), faults
        assert report["addresses"]
        return report["seen"]

    async def _kill_server(self) -> None:
        await self.application.end(signal.SIGKILL)

    async def _start_server(self) -> None:
        await self.application.start()
        await self.application.ready()

    async def _signal_store(self, store: str, name: str) -> LockHolder:
        """Send a signal to a store: SIGSTOP silences it, SIGCONT lets it answer again."""
        holder = self.application.store_holder(store)
        assert holder is not None
        os.kill(holder.pid, signal.Signals[name])
        return holder

    async def _kill_store(self, store: str) -> None:
        """Kill a store, and wait until its supervisor has started it again."""
        before = await self._signal_store(store, "SIGKILL")
        await wait_until(lambda: self.application.store_holder(store) not in (before, None), what=f"a new {store}")
        await self.application.ready()


@asynccontextmanager
async def open_site(directory: Path, *options: str, **settings: Any) -> AsyncIterator[Site]:
    """Build the pages, start an application with its stores, and open a browser.

    `options` are more options of Chromium, and `settings` those of the application. If Chromium or
    npm is missing, the test is skipped, except in CI, where it fails.
    """
    chromium = find_chromium(for_what=NOT_TESTED)
    await installed(DRIVER, for_what=NOT_TESTED)
    await build_pages()
    application = Application(directory / "data", DEMO="yes", **settings)
    async with started(application), driving(STORIES, url_of(application), chromium, *options) as driver:
        yield Site(application, driver)


def url_of(application: Application) -> str:
    """Return the address of the pages. The development issuer identifies itself as localhost."""
    return f"http://localhost:{application.port}"


async def build_pages() -> None:
    """Build the pages if their sources have changed. Tests of another process use them, too."""
    with (ROOT / "frontend" / "package.json").open() as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        await run_command("make", "-s", "frontend", cwd=ROOT)


def empty_folder(folder: Path) -> None:
    """Create the folder, and delete the pictures of an earlier run."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in folder.glob("*.png"):
        picture.unlink()
