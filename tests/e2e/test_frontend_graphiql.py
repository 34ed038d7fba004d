"""GraphiQL's page in Chromium, driven by playwright-core: the built page, a real server, the demo concerts.

Each story also proves that no page asked another host, logged an error, or showed a token in an address.
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

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

BROWSER = Path(__file__).parent / "browser"
TOKEN = re.compile(r"ey[\w-]+\.ey[\w-]+\.")
STORIES: dict[str, dict[str, object]] = {
    "looking": {"concerts": 5, "me": None},
    "buying": {
        "signedIn": "Signed in as alice, customer",
        "joined": "number",
        "admitted": "ADMITTED",
        "held": "HELD",
        "bought": "PAID",
        "orders": 1,
    },
    "watching": {
        "held": 2,
        "sold": 2,
        "buyer": {"customerName": "Bob", "customerEmail": "bob@onsale.example"},
    },
    "running": {
        "paused": "PAUSED",
        "emptied": 0,
        "called": 1,
        "resumed": "OPEN",
        "deeds": ["olivia RESUMED", "olivia ADMITTED_NEXT", "olivia RESET", "olivia CONFIGURED", "olivia PAUSED"],
    },
    "losingAPlace": {
        "whenItEnded": 1,
        "halfAMinuteLater": 1,
        "onceJoinedAgain": 2,
        "running": ["queuePosition", "stockChanged"],
    },
    "signingOutAndIn": {
        "subscribes": [2, 3, 4],
        "signedIn": ["queuePosition", "stockChanged"],
        "inTheEnd": 4,
        "signedOut": ["stockChanged"],
    },
    "beingRefused": {"withinTenSeconds": 0},
    "losingTheServer": {"stacks": 0},
    "loggingIn": {
        "signedIn": "Signed in as carol, customer",
        "me": "carol",
        "afterReload": "Signed in as carol, customer",
    },
    "renewing": {
        "signedIn": "Signed in as alice, customer",
        "me": "alice",
        "grants": ["password", "refresh_token", "refresh_token"],
    },
    "narrow": {"signedIn": "Signed in as olivia, organizer"},
}


def program(*names: str) -> str:
    found = next(filter(None, map(shutil.which, names)), None)
    if found is not None:
        return found
    message = f"{names[0]} is missing, so GraphiQL's page was not tried in a browser: install {names[0]}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="module")
def chromium() -> str:
    program("npm")
    return program("chromium", "chromium-browser", "google-chrome")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    await _run("make", "-s", "frontend", cwd=ROOT)
    if not (BROWSER / "node_modules" / "playwright-core").exists():
        await _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=BROWSER)
    async with started(Application(tmp_path_factory.mktemp("shop") / "data", DEMO="yes")) as application:
        yield application


@pytest.mark.parametrize("name", STORIES)
async def test_it_goes_as_told(shop: Application, chromium: str, name: str, tmp_path: Path) -> None:
    told = await story(name, shop, chromium, tmp_path)
    assert told["seen"] == STORIES[name]
    assert told["foreign"] == []
    assert told["errors"] == []
    assert told["addresses"]
    assert not [address for address in told["addresses"] if TOKEN.search(address)]


async def story(name: str, shop: Application, chromium: str, shots: Path) -> dict[str, Any]:
    # The issuer of development calls itself localhost.
    url = f"http://localhost:{shop.port}"
    told: dict[str, Any] = orjson.loads(await _run("node", "run.mjs", name, url, str(shots), chromium, cwd=BROWSER))
    return told


async def _run(*command: str, cwd: Path) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, problems = await process.communicate()
    assert process.returncode == 0, f"{' '.join(command)} ended with {process.returncode}:\n{problems.decode()}"
    return output
