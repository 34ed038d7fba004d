"""The demo catalog, which `make sale` also loads, is complete and valid."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

import payments.amounts
from bench.clients.catalog import CONCERTS_FILE, demo_concerts
from domain.payments.prices import draft_price_problems
from domain.validation import draft_problems

CONCERTS: list[dict[str, Any]] = orjson.loads(CONCERTS_FILE.read_bytes())
FIELDS: dict[str, type] = {
    "slug": str,
    "name": str,
    "artist": str,
    "genre": str,
    "venue": dict,
    "description": str,
    "links": list,
    "startsInDays": int,
    "startTime": str,
    "doorsMinutesBeforeStart": int,
    "salesStartInHours": int,
    "salesEndHoursBeforeStart": int,
    "currency": str,
    "limitPerOrder": int,
    "limitPerPerson": int,
    "holdDurationSeconds": int,
    "tiers": list,
}
ROOM_FIELDS = {
    "totalActiveUsers",
    "newUsersPerMinute",
    "passClaimTimeoutSeconds",
    "sessionDurationSeconds",
    "heartbeatTimeoutSeconds",
    "disconnectGraceSeconds",
}
OPTIONAL = {"waitingRoom", "minimumAge"}
VENUE_FIELDS: dict[str, type] = {
    "name": str,
    "city": str,
    "country": str,
    "timeZone": str,
    "address": str,
    "latitude": float,
    "longitude": float,
    "capacity": int,
}
TIER_FIELDS: dict[str, type] = {"name": str, "priceMinor": int, "capacity": int}
NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)

each_concert = pytest.mark.parametrize("concert", CONCERTS, ids=lambda concert: concert["slug"])


def types_of(record: dict[str, Any]) -> dict[str, type]:
    return {key: type(value) for key, value in record.items()}


def test_catalog_is_large_and_varied_and_has_no_duplicates() -> None:
    assert len(CONCERTS) == 30
    assert len({concert["slug"] for concert in CONCERTS}) == 30
    assert len({concert["name"] for concert in CONCERTS}) == 30
    assert len({concert["venue"]["name"] for concert in CONCERTS}) == 30
    assert len({concert["venue"]["country"] for concert in CONCERTS}) == 19
    assert len({concert["currency"] for concert in CONCERTS}) == 12
    assert len({concert["genre"] for concert in CONCERTS}) == 12
    assert len({concert["artist"] for concert in CONCERTS}) == 30
    assert sorted(concert["minimumAge"] for concert in CONCERTS if "minimumAge" in concert) == [7, 14, 15, 16, 18, 18]


@each_concert
def test_concert_has_exactly_the_expected_fields(concert: dict[str, Any]) -> None:
    assert types_of({name: value for name, value in concert.items() if name not in OPTIONAL}) == FIELDS
    assert types_of(concert["venue"]) == VENUE_FIELDS
    assert [types_of(tier) for tier in concert["tiers"]] == [TIER_FIELDS] * len(concert["tiers"])


@each_concert
def test_tiers_fill_the_venue(concert: dict[str, Any]) -> None:
    assert sum(tier["capacity"] for tier in concert["tiers"]) == concert["venue"]["capacity"]
    assert all(tier["capacity"] > 0 and tier["priceMinor"] > 0 for tier in concert["tiers"])
    assert len({tier["name"] for tier in concert["tiers"]}) == len(concert["tiers"])


@each_concert
def test_texts_and_numbers_are_plausible(concert: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", concert["slug"])
    assert re.fullmatch(r"[A-Z]{2}", concert["venue"]["country"])
    assert 80 <= len(concert["description"]) <= 200
    assert 1 <= concert["limitPerOrder"] <= concert["limitPerPerson"] <= 8
    assert 300 <= concert["holdDurationSeconds"] <= 600


def test_sale_ends_before_its_concert_starts() -> None:
    for draft in demo_concerts(NOW):
        assert draft.terms.sales_start_at < draft.terms.sales_end_at < draft.terms.starts_at


def test_doors_open_before_the_concert_starts() -> None:
    for draft in demo_concerts(NOW):
        assert draft.terms.details.doors_at is not None
        assert timedelta(minutes=30) <= draft.terms.starts_at - draft.terms.details.doors_at <= timedelta(hours=2)


def test_links_lead_to_reserved_names_that_belong_to_no_site() -> None:
    for draft in demo_concerts(NOW):
        assert all(link.url.endswith(".example/") for link in draft.terms.details.links)


def test_every_concert_passes_validation() -> None:
    assert [problem for draft in demo_concerts(NOW) for problem in draft_problems(draft)] == []


def test_four_sales_start_after_the_catalog_is_loaded() -> None:
    opens_later = [draft.slug for draft in demo_concerts(NOW) if draft.terms.sales_start_at > NOW]
    assert len(opens_later) == 4


def test_one_concert_on_sale_has_a_waiting_room() -> None:
    (with_room,) = [draft for draft in demo_concerts(NOW) if draft.room.is_on]
    assert with_room.slug == "lantern-ferry-royal-albert-hall"
    assert with_room.terms.sales_start_at < NOW
    assert (with_room.room.pass_claim_timeout_ms, with_room.room.session_duration_ms) == (600_000, 1_800_000)
    assert [set(concert["waitingRoom"]) for concert in CONCERTS if "waitingRoom" in concert] == [ROOM_FIELDS]


def test_times_are_relative_to_the_time_of_loading() -> None:
    first, later = demo_concerts(NOW)[0], demo_concerts(NOW + timedelta(days=365))[0]
    assert later.terms.starts_at - first.terms.starts_at == timedelta(days=365)
    evening = NOW.replace(hour=19, minute=30) + timedelta(days=96)
    assert (first.terms.starts_at, first.terms.sales_start_at) == (evening, NOW - timedelta(hours=72))
    assert first.terms.hold_duration_ms == 600_000


def test_every_price_can_be_paid() -> None:
    for draft in demo_concerts(NOW):
        assert list(draft_price_problems(draft, payments.amounts)) == []
