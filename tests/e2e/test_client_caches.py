"""Apollo Client, urql with Graphcache, and Relay buy in Chromium, beside the pushes of their page.

After each push, the page checks that the query beside it shows the same values, and that no older
version follows a newer one. Two answers arrive late, and old pushes arrive again. The clients are
set up as in docs/frontend.md, word for word.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.browsers import BrowserDriver, driving, find_chromium
from tests.support.node import installed, output_of
from tests.support.shop import Shop

# Building the pages and a purchase wait up to a minute for each step on a busy machine.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

CACHES = Path(__file__).parent / "caches"
BROWSER = Path(__file__).parent / "browser"
NOT_TESTED = "the caches of clients were not tested in a browser"
FREE = [100, 0, 0] * 2
HELD = [98, 2, 0] * 2
SOLD = [98, 0, 2] * 2
AT_THE_END = {"order": "PAID", "hold": "SOLD", "entry": "COMPLETED", "numbers": SOLD, "slots": 0}
STEPS = {
    "before": {"entry": None, "numbers": FREE},
    "admitted": {"entry": "ADMITTED", "slots": 1},
    "held": {"hold": "HELD", "numbers": HELD},
    "afterALateAnswer": {"hold": "HELD", "numbers": HELD},
    "sold": AT_THE_END,
    "afterASecondLateAnswer": AT_THE_END,
    "afterOldPushes": AT_THE_END,
}
READ_BY_FRAGMENT = {"page": ["PAID"], "refetched": ["PAID"]}
"""The statuses of the orders in Relay's fragment on `Viewer`, in its first query and in its own."""
PUSHED = {"stockChanged", "queuePosition", "holdChanged", "orderUpdated", "waitingRoomChanged"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def built() -> Path:
    """The folder with the pages and the compiled documents."""
    directory = await installed(CACHES, for_what=NOT_TESTED)
    await output_of("node", "build.mjs", directory=directory)
    return directory


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def driver(shop: Shop, built: Path) -> AsyncIterator[BrowserDriver]:
    chromium = find_chromium(for_what=NOT_TESTED)
    await installed(BROWSER, for_what=NOT_TESTED)
    async with driving(built, str(shop.client.base_url).rstrip("/"), chromium) as driver:
        yield driver


@pytest.mark.parametrize("client", ["apollo", "urql", "relay"])
async def test_cache_shows_every_push_and_nothing_older(
    shop: Shop, driver: BrowserDriver, client: str, tmp_path: Path
) -> None:
    concert = await shop.on_sale(waitingRoom={"suspended": False})
    people = {"buyer": shop.token(client), "organizer": shop.token("olivia")}
    report = await driver.run(name=client, shots=str(tmp_path), concertId=concert.id, **people)
    seen = report["seen"]
    assert seen["faults"] == []
    assert seen["viewer"] == client
    assert seen["steps"] == STEPS
    assert seen.get("orders") == (READ_BY_FRAGMENT if client == "relay" else None)
    assert seen["pushes"].keys() == PUSHED
    assert seen["compared"] >= sum(seen["pushes"].values())
    assert (report["errors"], report["warnings"], report["foreignRequests"]) == ([], [], [])


async def test_generated_types_of_schema_and_endpoint_compile_strictly(shop: Shop, built: Path) -> None:
    await output_of("node", "codegen.mjs", str(shop.client.base_url.join("/graphql")), directory=built)
    of_sdl, of_endpoint = (built / f"build/types-of-{folder}/graphql.ts" for folder in ("sdl", "endpoint"))
    assert of_sdl.read_text() == of_endpoint.read_text()
    await output_of("node_modules/.bin/tsc", directory=built)
