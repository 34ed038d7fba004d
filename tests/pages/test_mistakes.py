"""People type, click and go where they should not, in Chromium. Nothing is lost or bought twice."""

from pathlib import Path

import pytest

from tests.support.page_stories import Site

# A story waits up to a minute for each step, and the first story also builds the pages.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

ONE_ORDER = {"orders": 1, "held": 0, "sold": 2}

HEADINGS = {
    **dict.fromkeys(("draft", "draft/queue", "draft/tickets"), "Concert not found"),
    **dict.fromkeys(("unknown", "unknown/queue", "unknown/tickets"), "Concert not found"),
    "closed": "A closed concert",
    **dict.fromkeys(("closed/queue", "closed/tickets"), "The sale is over"),
    "canceled": "A canceled concert",
    **dict.fromkeys(("canceled/queue", "canceled/tickets"), "The concert is canceled"),
    "later": "A later sale",
    "later/queue": "There is no queue",
    "later/tickets": "The sale has not started",
    "/nowhere": "Page not found",
    "/tickets/accept": "A ticket for you",
}


def refused(*fields: str) -> dict[str, object]:
    """Return what a form shows that refuses these fields; the first of them has the focus."""
    return {"name": "name" in fields, "email": "email" in fields, "focused": fields[0], "kept": True}


async def test_wrong_contacts_are_refused_beside_the_field(site: Site, tmp_path: Path) -> None:
    assert await site.run("fillingInWrongContacts", tmp_path) == {
        "tries": {
            "empty": refused("name", "email"),
            "wrong": refused("email"),
            "tooLong": refused("name", "email"),
            "invisible": refused("name"),
        },
        "ordersBefore": 0,
        "order": {"customerName": "Ann Example", "customerEmail": "ann@onsale.example"},
    }


async def test_buyer_sees_a_new_price_and_keeps_the_price_of_the_hold(site: Site, tmp_path: Path) -> None:
    assert await site.run("meetingAChangedPrice", tmp_path) == {"paid": 7_800}


async def test_double_clicks_hold_and_buy_once(site: Site, tmp_path: Path) -> None:
    assert await site.run("clickingTwice", tmp_path) == {**ONE_ORDER, "available": 98}


@pytest.mark.parametrize("name", ["goingBack", "usingTwoTabs"])
async def test_each_way_through_the_pages_buys_once(site: Site, name: str, tmp_path: Path) -> None:
    assert await site.run(name, tmp_path) == ONE_ORDER


async def test_choice_is_kept_while_the_device_is_offline(site: Site, tmp_path: Path) -> None:
    assert await site.run("holdingWhileOffline", tmp_path) == {"held": 2}


async def test_bad_links_lead_to_pages_that_say_what_is_wrong(site: Site, tmp_path: Path) -> None:
    assert await site.run("followingBadLinks", tmp_path) == HEADINGS


async def test_search_for_nonsense_finds_nothing_and_recovers(site: Site, tmp_path: Path) -> None:
    assert await site.run("searchingForNonsense", tmp_path) == {"left": "  \u200bLANTERN\u00a0férry "}


async def test_ticket_is_offered_to_a_valid_address_only(site: Site, tmp_path: Path) -> None:
    assert await site.run("passingATicketToNoOne", tmp_path) == {}
