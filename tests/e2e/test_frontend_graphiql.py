"""GraphiQL's built page in Chromium, on a real server with the demo concerts.

Each story also checks that no page sent a request to another host, logged an error, or showed a
token in a URL.
"""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from tests.support.application import ROOT, Application, started
from tests.support.commands import run_command
from tests.support.node import installed

# A story waits up to a minute for each step, and the first story also builds the pages.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

BROWSER = Path(__file__).parent / "browser"
TOKEN = re.compile(r"ey[\w-]+\.ey[\w-]+\.")
MAX_LINE_BYTES = 10_000_000
NOTHING = dict.fromkeys(("post", "text", "get", "logout", "socket"), "blocked")
NOTHING_BUT_A_SOCKET = {**NOTHING, "socket": {"me": None}}
STORIES: dict[str, dict[str, object]] = {
    "readingTheCatalog": {"concerts": 5, "me": None},
    "buyingTickets": {
        "signedIn": "Signed in as alice, customer",
        "joined": "number",
        "admitted": "ADMITTED",
        "held": "HELD",
        "bought": "PENDING_PAYMENT",
        "payment": "Pay 96.00 GBP",
        "paid": "PAID",
        "orders": 1,
    },
    "followingTheStock": {
        "held": 2,
        "sold": 2,
        "buyer": {"customerName": "Bob Demo", "customerEmail": "bob@onsale.example"},
    },
    "runningTheWaitingRoom": {
        "paused": "PAUSED",
        "emptied": 0,
        "called": 1,
        "resumed": "OPEN",
        "audit": ["olivia RESUMED", "olivia ADMITTED_NEXT", "olivia RESET", "olivia CONFIGURED", "olivia PAUSED"],
    },
    "leavingTheQueue": {
        "whenItEnded": 1,
        "halfAMinuteLater": 1,
        "afterRejoining": 2,
        "running": ["queuePosition", "stockChanged"],
    },
    "signingOutAndIn": {
        "subscribes": [2, 3, 4],
        "signedIn": ["queuePosition", "stockChanged"],
        "atTheEnd": 4,
        "signedOut": ["stockChanged"],
    },
    "retryingARefusedSubscription": {"withinTenSeconds": 0},
    "losingTheServer": {"stacks": 0},
    "loggingInAtTheIssuer": {
        "signedIn": "Signed in as carol, customer",
        "me": "carol",
        "secrets": [],
        "afterReload": "Signed in as carol, customer",
        "afterSignOut": None,
    },
    "beingTwoPeople": {
        "names": ["Signed in as buyer1, customer", "buyer1", "Signed in as bob, customer", "bob"],
        "onceSignedOut": "buyer1",
    },
    "losingTheSession": {"signedIn": "Signed in as carol, customer", "address": "/graphql", "me": "carol", "logins": 2},
    "visitingAnotherSite": {
        # The browser sends no cookie with a request from another site, so that socket is anonymous.
        "tried": {"crossSite": NOTHING_BUT_A_SOCKET, "sameSite": NOTHING},
        "me": "carol",
    },
    "renewingTokens": {
        "signedIn": "Signed in as alice, customer",
        "me": "alice",
        "grants": ["password", "refresh_token", "refresh_token"],
    },
    # The requests are sent after 0, 40, 80, 107, 117 and 127 seconds.
    "renewingShortTokens": {"requests": 6, "shortestPauseS": 10, "subscribedAgain": 0},
    "usingANarrowWindow": {"signedIn": "Signed in as olivia, organizer, customer"},
}


class BrowserDriver:
    """A Node process that runs stories in one Chromium browser."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process, self._stdin, self._stdout = process, process.stdin, process.stdout

    async def run_story(self, name: str, shots: Path) -> dict[str, Any]:
        self._stdin.write(orjson.dumps({"name": name, "shots": str(shots)}) + b"\n")
        line = await self._stdout.readline()
        assert line, f"the browser ended with {await self.process.wait()}"
        report: dict[str, Any] = orjson.loads(line)
        assert "error" not in report, report["error"]
        return report

    async def end(self) -> None:
        self._stdin.close()
        await self.process.wait()


@pytest.fixture(scope="module")
def chromium() -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is not None:
        return found
    message = "chromium is missing, so GraphiQL's page was not tested in a browser: install chromium"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def driver(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BrowserDriver]:
    directory = await installed(BROWSER, for_what="GraphiQL's page was not tested in a browser")
    await run_command("make", "-s", "frontend", cwd=ROOT)
    async with started(Application(tmp_path_factory.mktemp("demo") / "data", DEMO="yes")) as application:
        # The development issuer identifies itself as localhost.
        url = f"http://localhost:{application.port}"
        process = await asyncio.create_subprocess_exec(
            *("node", "run.mjs", url, chromium),
            cwd=directory,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=MAX_LINE_BYTES,
        )
        driver = BrowserDriver(process)
        yield driver
        await driver.end()


@pytest.mark.parametrize("name", STORIES)
async def test_page_follows_the_story(driver: BrowserDriver, name: str, tmp_path: Path) -> None:
    report = await driver.run_story(name, tmp_path)
    assert report["seen"] == STORIES[name]
    assert report["foreignRequests"] == []
    assert report["errors"] == []
    assert report["addresses"]
    assert not [address for address in report["addresses"] if TOKEN.search(address)]
