"""Reads the demo catalog (deploy/demo/concerts.json). Its dates are relative to the current day at
the venue, so it never goes out of date, and its concerts start at a local time. Sales start on the
hour.
"""

import json
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

from domain.catalog.details import ConcertDetails, ConcertLink, Coordinates, Genre
from domain.concerts import ConcertDraft, ConcertTerms, TierDraft, Venue
from domain.money import CurrencyCode
from domain.queues import NO_ROOM, RoomSettings
from domain.venues.time_zones import local_time, moment_of


def demo_drafts(catalog: bytes, now: datetime) -> tuple[ConcertDraft, ...]:
    """Return the drafts of the demo concerts; `catalog` is the content of the file."""
    return tuple(_draft(record, now) for record in json.loads(catalog))


def _draft(record: Mapping[str, Any], now: datetime) -> ConcertDraft:
    starts_at = _start(record, now)

    return ConcertDraft(
        terms=ConcertTerms(
            name=record["name"],
            venue=_venue(record["venue"]),
            description=record["description"],
            starts_at=starts_at,
            sales_start_at=now.replace(minute=0, second=0, microsecond=0)
            + timedelta(hours=record["salesStartInHours"]),
            sales_end_at=starts_at - timedelta(hours=record["salesEndHoursBeforeStart"]),
            limit_per_order=record["limitPerOrder"],
            limit_per_person=record["limitPerPerson"],
            hold_duration_ms=record["holdDurationSeconds"] * 1000,
            details=ConcertDetails(
                artist=record["artist"],
                genre=Genre(record["genre"]),
                doors_at=starts_at - timedelta(minutes=record["doorsMinutesBeforeStart"]),
                minimum_age=record.get("minimumAge"),
                links=tuple(ConcertLink(**link) for link in record["links"]),
            ),
        ),
        currency=CurrencyCode(record["currency"]),
        tiers=tuple(TierDraft(tier["name"], tier["priceMinor"], tier["capacity"]) for tier in record["tiers"]),
        slug=record["slug"],
        room=_room(record["waitingRoom"]) if "waitingRoom" in record else NO_ROOM,
    )


def _venue(record: Mapping[str, Any]) -> Venue:
    return Venue(
        record["name"],
        record["city"],
        record["country"],
        record["timeZone"],
        address=record["address"],
        coordinates=Coordinates(record["latitude"], record["longitude"]),
    )


def _start(record: Mapping[str, Any], now: datetime) -> datetime:
    """Return the start of a concert: a number of days from today, at its local time."""
    zone = record["venue"]["timeZone"]
    today = local_time(now, zone)
    assert today is not None
    day = today.date() + timedelta(days=record["startsInDays"])
    return moment_of(datetime.combine(day, time.fromisoformat(record["startTime"])), zone)


def _room(record: Mapping[str, int]) -> RoomSettings:
    return RoomSettings(
        suspended=False,
        total_active_users=record["totalActiveUsers"],
        new_users_per_minute=record["newUsersPerMinute"],
        pass_claim_timeout_ms=record["passClaimTimeoutSeconds"] * 1000,
        session_duration_ms=record["sessionDurationSeconds"] * 1000,
        heartbeat_timeout_ms=record["heartbeatTimeoutSeconds"] * 1000,
        disconnect_grace_ms=record["disconnectGraceSeconds"] * 1000,
    )
