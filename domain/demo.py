"""Reads the demo catalog (deploy/demo/concerts.json). Its times are relative to the current time,
so it never goes out of date. The times are rounded as an organizer would round them.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from domain.concerts import ConcertDraft, ConcertTerms, TierDraft, Venue
from domain.money import CurrencyCode
from domain.queues import NO_ROOM, RoomSettings

START_TIME = timedelta(hours=19)
"""The time of day, in UTC, at which every demo concert starts. It is evening in most of their
cities.
"""


def demo_drafts(catalog: bytes, now: datetime) -> tuple[ConcertDraft, ...]:
    """Return the drafts of the demo concerts; `catalog` is the content of the file."""
    return tuple(_draft(record, now) for record in json.loads(catalog))


def _draft(record: Mapping[str, Any], now: datetime) -> ConcertDraft:
    venue = record["venue"]
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    starts_at = today + timedelta(days=record["startsInDays"]) + START_TIME

    return ConcertDraft(
        terms=ConcertTerms(
            name=record["name"],
            venue=Venue(venue["name"], venue["city"], venue["country"]),
            description=record["description"],
            starts_at=starts_at,
            sales_start_at=today + timedelta(hours=now.hour + record["salesStartInHours"]),
            sales_end_at=today + timedelta(hours=record["salesEndInHours"]) + START_TIME,
            limit_per_order=record["limitPerOrder"],
            limit_per_person=record["limitPerPerson"],
            hold_duration_ms=record["holdDurationSeconds"] * 1000,
        ),
        currency=CurrencyCode(record["currency"]),
        tiers=tuple(TierDraft(tier["name"], tier["priceMinor"], tier["capacity"]) for tier in record["tiers"]),
        slug=record["slug"],
        room=_room(record["waitingRoom"]) if "waitingRoom" in record else NO_ROOM,
    )


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
