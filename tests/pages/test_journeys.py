"""People buy tickets in Chromium, alone and against each other."""

from pathlib import Path

import pytest

from tests.support.page_stories import Site

# A story waits up to a minute for each step, and the first story also builds the pages.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

BOUGHT = {"pdf": "%PDF-", "status": "FULFILLED", "paid": 6_400, "available": 98, "sold": 2}


@pytest.mark.parametrize("name", ["buyingByMouse", "buyingByKeyboard"])
async def test_buyer_gets_from_the_catalog_to_the_pdf(site: Site, name: str, tmp_path: Path) -> None:
    assert await site.run(name, tmp_path) == BOUGHT


async def test_pages_fit_on_a_small_phone(site: Site, tmp_path: Path) -> None:
    assert await site.run("buyingOnAPhone", tmp_path) == {**BOUGHT, "tooWide": []}
