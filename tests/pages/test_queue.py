"""The waiting room in Chromium: places are kept, and the call arrives wherever the person looks."""

from pathlib import Path

import pytest

from tests.support.page_stories import Site

# A story waits up to a minute for each step, and the first story also builds the pages.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]


async def test_position_falls_from_40_to_0_in_a_hidden_tab(site: Site, tmp_path: Path) -> None:
    assert await site.run("waitingInAHiddenTab", tmp_path) == {
        "positions": [*range(39, 0, -1)],
        "calls": ["It is your turn!"],
        "positionsAreSpokenRarely": True,
        "allPositionsArePolite": True,
    }


async def test_place_is_kept_after_a_reload_and_on_a_second_device(site: Site, tmp_path: Path) -> None:
    assert await site.run("keepingThePlace", tmp_path) == {"positions": [3, 3, 3]}


async def test_last_ticket_is_held_by_one_of_two_people(site: Site, tmp_path: Path) -> None:
    seen = await site.run("racingForTheLastTicket", tmp_path)
    assert seen == {"ends": ["held", "sold out"], "available": 0, "held": 1}
