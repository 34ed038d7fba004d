"""Buyers in Chromium see what the organizer does, and what becomes of their money."""

from pathlib import Path

import pytest

from tests.support.page_stories import Site

# A story waits up to a minute for each step, and the first story also builds the pages.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]


async def test_buyer_sees_each_change_of_the_organizer(site: Site, tmp_path: Path) -> None:
    assert await site.run("followingTheOrganizer", tmp_path) == {"kept": 2, "joinsLeft": 0}


async def test_waiting_buyer_sees_the_cancellation_of_the_concert(site: Site, tmp_path: Path) -> None:
    assert await site.run("waitingForACanceledConcert", tmp_path) == {"placesLeft": 0}


async def test_people_without_a_place_are_pushed_the_end_of_the_sale(site: Site, tmp_path: Path) -> None:
    assert await site.run("watchingWithoutAPlace", tmp_path) == {
        "asked": [0, 0],
        "joinsLeft": [0, 0],
        "announced": [
            "The queue is paused. You can join and keep your place.",
            "The queue is moving again.",
            "The sale is over",
            "This concert has been canceled",
        ],
    }


async def test_people_without_a_place_are_pushed_that_all_is_sold(site: Site, tmp_path: Path) -> None:
    assert await site.run("watchingTheLastTicketGo", tmp_path) == {"asked": 0, "buttons": 0}


async def test_buyer_sees_a_refund_by_the_organizer(site: Site, tmp_path: Path) -> None:
    assert await site.run("seeingARefund", tmp_path) == {"status": "REFUNDED", "refunded": True}


async def test_buyer_returns_one_of_two_tickets(site: Site, tmp_path: Path) -> None:
    assert await site.run("returningTickets", tmp_path) == {"available": 99}
