"""Concerts in MongoDB: which of them a list by time names."""

from dataclasses import replace
from datetime import timedelta

from domain.concerts import Concert, ConcertStatus
from domain.ids import ConcertId
from storage.connect import Stores
from tests.support.snapshots import CONCERT, NOW

DRAFT, PUBLISHED, CLOSED = ConcertStatus


def concert(name: str, status: ConcertStatus, *, starts_in: timedelta) -> Concert:
    return replace(CONCERT, id=ConcertId(name), slug=name, status=status, starts_at=NOW + starts_in)


async def test_living_names_the_concerts_that_start_after_a_time(stores: Stores) -> None:
    hour = timedelta(hours=1)
    for made in (
        concert("later", PUBLISHED, starts_in=hour),
        concert("now", PUBLISHED, starts_in=timedelta()),
        concert("earlier", PUBLISHED, starts_in=-hour),
        concert("closed", CLOSED, starts_in=hour),
        concert("draft", DRAFT, starts_in=hour),
    ):
        await stores.concerts.insert(made)
    assert {found.id for found in await stores.concerts.living(starts_after=NOW)} == {"later", "closed"}
    lately = await stores.concerts.living(starts_after=NOW - 2 * hour)
    assert {found.id for found in lately} == {"later", "now", "earlier", "closed"}
