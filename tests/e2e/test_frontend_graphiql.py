"""GraphiQL's built page, and the bar that leads to it, on a real server with the demo concerts.

Each story also checks that no page sent a request to another host, logged an error, or showed a
token in a URL.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.application import Application, started
from tests.support.browsers import BrowserDriver, driving, find_chromium
from tests.support.node import installed
from tests.support.page_stories import build_pages

# A story waits up to a minute for each step, and the first story also builds the pages.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

BROWSER = Path(__file__).parent / "browser"
TOKEN = re.compile(r"ey[\w-]+\.ey[\w-]+\.")
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
        "paid": True,
        "orders": 1,
    },
    "passingATicketOn": {
        "mine": 2,
        "offered": "bob@onsale.example",
        "address": "/tickets/accept",
        "isPdf": True,
        "old": "REPLACED",
        "his": "Bob Demo",
        "first": "Bob Demo",
        "second": "north gate",
    },
    "movingAndCancelingAConcert": {
        "created": "DRAFT",
        "published": "PUBLISHED",
        "venue": "Brighton Dome, Brighton",
        "isLater": True,
        "canceled": "CANCELLED",
        "refunded": [1, 0],
    },
    "usingTheDeveloperBar": {
        "isPressed": "true",
        "links": ["GraphiQL", "Mailbox", "Test cards"],
        "isOpenAfterReload": False,
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def driver(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BrowserDriver]:
    chromium = find_chromium(for_what="GraphiQL's page was not tested in a browser")
    directory = await installed(BROWSER, for_what="GraphiQL's page was not tested in a browser")
    await build_pages()
    async with started(Application(tmp_path_factory.mktemp("demo") / "data", DEMO="yes")) as application:
        # The development issuer identifies itself as localhost.
        url = f"http://localhost:{application.port}"
        async with driving(directory, url, chromium) as driver:
            yield driver


@pytest.mark.parametrize("name", STORIES)
async def test_page_follows_the_story(driver: BrowserDriver, name: str, tmp_path: Path) -> None:
    report = await driver.run(name=name, shots=str(tmp_path))
    assert report["seen"] == STORIES[name]
    assert report["foreignRequests"] == []
    assert report["errors"] == []
    assert report["addresses"]
    assert not [address for address in report["addresses"] if TOKEN.search(address)]
