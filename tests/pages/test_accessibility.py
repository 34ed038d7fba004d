"""Every page and state in Chromium, for people who do not use a mouse, or do not see."""

from pathlib import Path

import pytest

from tests.support.page_stories import Site

# A story waits up to a minute for each step, and the first story also builds the pages.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

STATES = 38


async def test_axe_and_the_tab_key_find_no_fault_in_any_state(site: Site, tmp_path: Path) -> None:
    seen = await site.run("auditingEveryState", tmp_path, people=["buyer851", "buyer852", "buyer853"])
    assert seen == {"states": STATES, "faults": {}}


async def test_every_state_fits_on_a_small_phone(site: Site, tmp_path: Path) -> None:
    seen = await site.run("auditingOnAPhone", tmp_path, people=["buyer854", "buyer855", "buyer856"])
    assert seen == {"faults": {}}


async def test_nothing_moves_for_people_who_do_not_want_motion(site: Site, tmp_path: Path) -> None:
    seen = await site.run("reducingMotion", tmp_path, people=["buyer857", "buyer858", "buyer859"])
    assert seen == {"moving": {}, "calls": ["queue-your-turn", "queue-leaving", "queue-left"]}


async def test_nothing_jumps_while_a_page_arrives_in_pieces(site: Site, tmp_path: Path) -> None:
    assert await site.run("loadingInPieces", tmp_path) == {}
