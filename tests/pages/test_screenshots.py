"""Takes screenshots of every page and state into build/screenshots, and those of the README.

`make screenshots` runs this alone.
"""


import pytest

from tests.support.application import ROOT
from tests.support.page_stories import Site

# A story waits up to a minute for each step, and the first story also builds the pages.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

SHOTS = ROOT / "build" / "screenshots"
PEOPLE = ["buyer861", "buyer862", "buyer863"]


async def test_every_state_is_shown_in_each_theme_language_and_size(site: Site) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    taken = await site.run("takingScreenshots", SHOTS, people=PEOPLE)
    assert taken == len([*SHOTS.glob("*.png")]) > 0
