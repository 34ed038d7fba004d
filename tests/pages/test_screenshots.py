"""Takes screenshots of every page and state into build/screenshots.

`make screenshots` runs this and tests/pages/test_readme_pictures.py.
"""

import pytest

from tests.support.application import ROOT
from tests.support.page_stories import Site, empty_folder

# A story waits up to a minute for each step, and the first story also builds the pages.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

SHOTS = ROOT / "build" / "screenshots"
MIN_PICTURES = 200
"""More than 30 states in three languages and two themes."""
PEOPLE = {"desktop": ["buyer861", "buyer862", "buyer863"], "phone": ["buyer864", "buyer865", "buyer866"]}


@pytest.mark.parametrize("size", PEOPLE)
async def test_every_state_is_shown_in_each_theme_and_language(site: Site, size: str) -> None:
    empty_folder(SHOTS / size)
    seen = await site.run("takingScreenshots", SHOTS / size, people=PEOPLE[size], size=size)
    taken = len([*(SHOTS / size).glob("*.png")])
    assert taken >= MIN_PICTURES
    assert seen == {"taken": taken, "faults": {}}
