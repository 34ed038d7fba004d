"""A copy has its original's terms at another time, and nothing of its history."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.catalog.copies import CopyRequest, copy_concert
from domain.catalog.details import ConcertDetails, Genre
from domain.concerts import Concert, ConcertStatus, ConcertTerms, Tier, Venue
from domain.ids import ConcertId, PersonId, copied_concert_id, tier_id
from domain.money import CurrencyCode
from domain.queues import QueueingMethod, RoomSettings

START, HOUR = datetime(2031, 3, 29, 20, 0, tzinfo=UTC), timedelta(hours=1)
SOURCE, COPY = ConcertId("abcdefghjkmn"), ConcertId("npqrstuvwxyz")
ROOM = RoomSettings(
    suspended=False,
    queueing_method=QueueingMethod.FIFO,
    total_active_users=7,
    shuffle_at_start=True,
    proof_of_work_bits=12,
)
ORIGINAL = Concert(
    id=SOURCE,
    slug="winterreise",
    terms=ConcertTerms(
        name="Winterreise",
        venue=Venue("Hall", "Vienna", "AT", "Europe/Vienna"),
        description="Twenty-four songs.",
        starts_at=START,
        sales_start_at=START - 90 * 24 * HOUR,
        sales_end_at=START - HOUR,
        limit_per_order=4,
        limit_per_person=6,
        hold_duration_ms=300_000,
        payment_duration_ms=120_000,
        refunds_until=START - 48 * HOUR,
        details=ConcertDetails(artist="Duo", genre=Genre.CLASSICAL, doors_at=START - HOUR, minimum_age=6),
    ),
    currency=CurrencyCode.EUR,
    tiers=(
        Tier(tier_id(SOURCE, 1), "Stalls", 5_000, capacity=90, top=120, to_withdraw=5),
        Tier(tier_id(SOURCE, 3), "Gallery", 2_000, capacity=40, top=40),
    ),
    status=ConcertStatus.CANCELLED,
    version=9,
    epoch=4,
    created_by=PersonId("olivia"),
    created_at=START - 100 * 24 * HOUR,
    organizer_id=PersonId("otto"),
    gate_people=(PersonId("gus"),),
    room=replace(
        ROOM,
        prequeue_starts_at=START - 9 * HOUR,
        opens_at=START - 8 * HOUR,
        queue_all=True,
        message="It is snowing.",
        version=5,
        round=3,
        commitment="c" * 64,
    ),
)
LATER = START + 14 * 24 * HOUR


def copied(request: CopyRequest) -> Concert:
    return copy_concert(ORIGINAL, request, id_=COPY, slug="again", created_by=PersonId("ada"), now=START)


def test_copy_has_everything_except_the_history_of_its_original() -> None:
    terms = ORIGINAL.terms
    shift = LATER - START
    assert terms.refunds_until is not None
    assert copied(CopyRequest(LATER)) == Concert(
        id=COPY,
        slug="again",
        terms=replace(
            terms,
            starts_at=LATER,
            sales_start_at=terms.sales_start_at + shift,
            sales_end_at=terms.sales_end_at + shift,
            refunds_until=terms.refunds_until + shift,
            details=replace(terms.details, doors_at=LATER - HOUR),
        ),
        currency=CurrencyCode.EUR,
        tiers=(
            Tier(tier_id(COPY, 1), "Stalls", 5_000, capacity=90, top=90),
            Tier(tier_id(COPY, 2), "Gallery", 2_000, capacity=40, top=40),
        ),
        status=ConcertStatus.DRAFT,
        version=1,
        epoch=0,
        created_by=PersonId("ada"),
        created_at=START,
        organizer_id=PersonId("otto"),
        room=ROOM,
    )


def test_given_times_and_name_replace_the_original_ones() -> None:
    request = CopyRequest(LATER, START, START + HOUR, LATER - 2 * HOUR, START + HOUR, name="Die schöne Müllerin")
    terms = copied(request).terms
    assert (terms.sales_start_at, terms.sales_end_at) == (START, START + HOUR)
    assert (terms.details.doors_at, terms.refunds_until) == (LATER - 2 * HOUR, START + HOUR)
    assert terms.name == "Die schöne Müllerin"


def test_copy_has_no_time_that_the_original_lacks() -> None:
    bare = replace(ORIGINAL.terms, refunds_until=None, details=ConcertDetails())
    assert CopyRequest(LATER).apply_to(bare).refunds_until is None
    assert CopyRequest(LATER).apply_to(bare).details == ConcertDetails()


def test_copies_have_one_id_per_person_original_and_key() -> None:
    olivia = PersonId("olivia")
    ids = [
        copied_concert_id(olivia, SOURCE, "k"),
        copied_concert_id(olivia, SOURCE, "l"),
        copied_concert_id(olivia, COPY, "k"),
        copied_concert_id(PersonId("otto"), SOURCE, "k"),
    ]
    assert len(set(ids)) == 4
    assert ids[0] == copied_concert_id(olivia, SOURCE, "k")
    assert {len(id_) for id_ in ids} == {12}


@pytest.mark.parametrize("other", [CopyRequest(START), CopyRequest(LATER, name="x"), CopyRequest(LATER, slug="x")])
def test_different_requests_have_different_digests(other: CopyRequest) -> None:
    assert CopyRequest(LATER).digest(SOURCE) == CopyRequest(LATER).digest(SOURCE)
    assert other.digest(SOURCE) != CopyRequest(LATER).digest(SOURCE)
    assert CopyRequest(LATER).digest(COPY) != CopyRequest(LATER).digest(SOURCE)
