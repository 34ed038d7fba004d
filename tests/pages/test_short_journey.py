"""One journey from the catalog to the PDF, with the checks of axe in one theme.

`make test-pages` runs the other journeys.
"""

from pathlib import Path

import pytest

from tests.support.page_stories import Site

# A story waits up to a minute for each step, and the first story also builds the pages.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]


async def test_checks_find_what_is_wrong_with_a_page(site: Site, tmp_path: Path) -> None:
    themes = ("dark", "light")
    assert await site.run("findingFaults", tmp_path) == {
        "rules": [f"{theme} {rule}" for theme in themes for rule in ("button-name", "color-contrast", "tabindex")],
        "unnamed": ["button"],
        "unreachable": ["button"],
        "said": ["polite: You are number 3", "assertive: It is your turn"],
        "moving": 1,
    }


async def test_buyer_gets_from_the_catalog_to_the_tickets(site: Site, tmp_path: Path) -> None:
    assert await site.run("buyingInShort", tmp_path) == {
        "pdf": "%PDF-",
        "status": "FULFILLED",
        "paid": 6_400,
        "available": 98,
        "sold": 2,
        "faults": {},
    }
