"""The server, a store, the network or the session goes away while people buy in Chromium."""

from pathlib import Path

import pytest

from tests.support.page_stories import Site

# A story waits up to two minutes for each step, and the first story also builds the pages.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(1_500)]

BOUGHT = {"pdf": "%PDF-", "orders": 1, "customerName": "Ann Example", "available": 98, "sold": 2}


async def test_purchase_survives_a_killed_server_at_every_stage(site: Site, tmp_path: Path) -> None:
    stages = ["queue", "choice", "hold", "payment", "paying"]
    assert await site.run("losingTheServer", tmp_path) == {**BOUGHT, "notices": stages}


@pytest.mark.parametrize("name", ["losingTheQueueStore", "losingTheDatabase", "losingTheNetwork"])
async def test_purchase_survives_an_outage_at_every_stage(site: Site, name: str, tmp_path: Path) -> None:
    assert await site.run(name, tmp_path) == BOUGHT


async def test_nothing_is_lost_when_the_session_ends(site: Site, tmp_path: Path) -> None:
    seen = await site.run("losingTheSession", tmp_path)
    assert seen == {"kept": ["Ann Example", "ann@onsale.example"], "orders": 1, "sold": 2}


async def test_page_reconnects_unless_a_close_code_forbids_it(site: Site, tmp_path: Path) -> None:
    again, final, often = [1001, 1012, 1013, 4408], [4400, 4401, 4406, 4409, 4429], [4403]
    assert await site.run("closingSockets", tmp_path, again=again, final=final, often=often) == {
        **{str(code): [2, False] for code in again},
        **{str(code): [1, True] for code in final},
        "4403": [5, True],
    }


@pytest.mark.parametrize("name", ["refusingSubscriptions", "refusingQuietSubscriptions"])
async def test_subscription_continues_after_an_error_that_passes(site: Site, name: str, tmp_path: Path) -> None:
    assert await site.run(name, tmp_path) == {"subscriptions": 3}


async def test_page_finishes_a_purchase_of_unknown_outcome(site: Site, tmp_path: Path) -> None:
    assert await site.run("silencingTheDatabase", tmp_path) == {"orders": 1, "customerName": "Ann Example"}
