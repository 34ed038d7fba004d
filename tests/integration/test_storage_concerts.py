"""Concerts in MongoDB: the list of active concerts, and the lookup of a new concert."""

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.concerts import Concert, ConcertStatus
from domain.ids import ConcertId, new_concert_id
from resolvers import concerts
from storage.connect import Stores
from tests.support.sale import draft, organizer
from tests.support.snapshots import CONCERT, NOW

DRAFT, PUBLISHED, CLOSED, _ = ConcertStatus


def concert(name: str, status: ConcertStatus, *, starts_in: timedelta) -> Concert:
    terms = replace(CONCERT.terms, starts_at=NOW + starts_in)
    return replace(CONCERT, id=ConcertId(name), slug=name, status=status, terms=terms)


async def test_only_concerts_that_start_after_the_given_time_are_listed(stores: Stores) -> None:
    hour = timedelta(hours=1)
    for made in (
        concert("later", PUBLISHED, starts_in=hour),
        concert("now", PUBLISHED, starts_in=timedelta()),
        concert("earlier", PUBLISHED, starts_in=-hour),
        concert("closed", CLOSED, starts_in=hour),
        concert("draft", DRAFT, starts_in=hour),
    ):
        await stores.concerts.insert(made)
    assert {found.id for found in await stores.concerts.list_active(starts_after=NOW)} == {"later", "closed"}
    lately = await stores.concerts.list_active(starts_after=NOW - 2 * hour)
    assert {found.id for found in lately} == {"later", "now", "earlier", "closed"}


async def test_a_missing_concert_is_found_after_it_is_created(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    id_ = new_concert_id()
    monkeypatch.setattr("resolvers.concerts.new_concert_id", lambda: id_)
    assert await stores.concert_cache.get(id_) is None
    created = await concerts.create_concert(organizer(stores), draft(10))
    assert await stores.concert_cache.get(id_) == created
    published = await concerts.publish_concert(organizer(stores), id_)
    assert await stores.concert_cache.get(id_) == published
