"""Input checks: each yields the problems of its fields, with their path in the input.

Bounds are generous for every real sale, and small enough that no request slows others down.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from domain.concerts import Concert, ConcertDraft, ConcertTerms, TierDraft, Venue
from domain.errors import FieldProblem, InvalidInput
from domain.holds import TicketRequest
from domain.ids import ConcertId, concert_of
from domain.orders import Customer
from domain.queues import QueueingMethod, RoomSettings

MAX_NAME = 200
MAX_DESCRIPTION = 5_000
MAX_EMAIL = 254
MAX_KEY = 255
MAX_LINES = 20
MAX_QUANTITY = 1_000
MAX_LIMIT = 1_000
MAX_TIERS = 50
MAX_TIER_CAPACITY = 200_000
MAX_PRICE_MINOR = 2_000_000
# A total of MAX_LIMIT tickets at this price still fits GraphQL's 32-bit Int.
MAX_HOLD = timedelta(hours=2)
MAX_ACTIVE_USERS = 1_000_000
MAX_ROOM_TIME_S = 7_200
MAX_MESSAGE = 500
MAX_ADMITTED_AT_ONCE = 1_000
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_COUNTRY = re.compile(r"[A-Z]{2}")
# Deliberately loose: only a message sent to an address proves it.
_EMAIL = re.compile(r"[^\s@\x00-\x1f]+@[^\s@\x00-\x1f.]+(\.[^\s@\x00-\x1f.]+)+")


def raise_problems(problems: Iterator[FieldProblem]) -> None:
    """Raise InvalidInput with all problems; return if `problems` yields nothing."""
    found = tuple(problems)
    if found:
        raise InvalidInput(*found)


def text_problems(path: str, text: str, *, longest: int, may_be_empty: bool = False) -> Iterator[FieldProblem]:
    if not may_be_empty and not text.strip():
        yield FieldProblem(path, "must not be empty")
    if len(text) > longest:
        yield FieldProblem(path, f"has {len(text)} characters; at most {longest} are allowed")
    if any(unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t" for letter in text[:longest]):
        yield FieldProblem(path, "contains control characters; remove them")


def number_problems(path: str, value: int, lowest: int, highest: int) -> Iterator[FieldProblem]:
    if not lowest <= value <= highest:
        yield FieldProblem(path, f"is {value}; it must be between {lowest} and {highest}")


def key_problems(key: str) -> Iterator[FieldProblem]:
    yield from text_problems("idempotencyKey", key, longest=MAX_KEY)


def ticket_line_problems(concert_id: ConcertId, lines: Sequence[TicketRequest]) -> Iterator[FieldProblem]:
    if not 1 <= len(lines) <= MAX_LINES:
        yield FieldProblem("lines", f"has {len(lines)} lines; send 1 to {MAX_LINES}")
    for index, line in enumerate(lines[:MAX_LINES]):
        yield from number_problems(f"lines.{index}.quantity", line.quantity, 1, MAX_QUANTITY)
        if concert_of(line.tier_id) != concert_id:
            yield FieldProblem(f"lines.{index}.tierId", "is not a tier of this concert; use one of its tiers")
        if any(line.tier_id == earlier.tier_id for earlier in lines[:index]):
            yield FieldProblem(f"lines.{index}.tierId", "repeats the tier of an earlier line; combine the quantities")


def customer_problems(customer: Customer) -> Iterator[FieldProblem]:
    yield from text_problems("customerName", customer.name, longest=MAX_NAME)
    yield from text_problems("customerEmail", customer.email, longest=MAX_EMAIL)
    if len(customer.email) <= MAX_EMAIL and not _EMAIL.fullmatch(customer.email):
        yield FieldProblem("customerEmail", "is not an email address; use the form name@example.org")


def draft_problems(draft: ConcertDraft) -> Iterator[FieldProblem]:
    yield from _words_problems(draft.terms)
    yield from _sale_problems(draft.terms)
    yield from room_problems("waitingRoom", draft)
    if draft.slug is not None and not (_SLUG.fullmatch(draft.slug) and len(draft.slug) <= MAX_NAME):
        allowed = f"lowercase letters and digits with single hyphens between them, at most {MAX_NAME} characters"
        yield FieldProblem("slug", f"is not a valid slug; use {allowed}")
    if not 1 <= len(draft.tiers) <= MAX_TIERS:
        yield FieldProblem("tiers", f"has {len(draft.tiers)} tiers; send 1 to {MAX_TIERS}")
    yield from tier_problems("tiers", draft.tiers[:MAX_TIERS], lowest_capacity=1)


def changed_concert_problems(concert: Concert) -> Iterator[FieldProblem]:
    """Check a changed concert by the rules of a draft, but let a tier have no capacity."""
    yield from _words_problems(concert.terms)
    yield from _sale_problems(concert.terms)
    yield from room_problems("waitingRoom", concert)
    if len(concert.tiers) > MAX_TIERS:
        yield FieldProblem(
            "newTiers", f"brings the concert to {len(concert.tiers)} tiers; at most {MAX_TIERS} are allowed"
        )
    drafts = [TierDraft(tier.name, tier.price_minor, tier.capacity) for tier in concert.tiers[:MAX_TIERS]]
    yield from tier_problems("tiers", drafts, lowest_capacity=0)


def tier_problems(path: str, tiers: Sequence[TierDraft], *, lowest_capacity: int) -> Iterator[FieldProblem]:
    for index, tier in enumerate(tiers):
        at = f"{path}.{index}"
        yield from text_problems(f"{at}.name", tier.name, longest=MAX_NAME)
        yield from number_problems(f"{at}.priceMinor", tier.price_minor, 0, MAX_PRICE_MINOR)
        yield from number_problems(f"{at}.capacity", tier.capacity, lowest_capacity, MAX_TIER_CAPACITY)
        if any(tier.name == earlier.name for earlier in tiers[:index]):
            yield FieldProblem(
                f"{at}.name", f"is {tier.name[:64]!r}, as in an earlier tier; give each tier its own name"
            )


def _words_problems(terms: ConcertTerms) -> Iterator[FieldProblem]:
    yield from text_problems("name", terms.name, longest=MAX_NAME)
    yield from text_problems("description", terms.description, longest=MAX_DESCRIPTION, may_be_empty=True)
    yield from _venue_problems(terms.venue)


def _venue_problems(venue: Venue) -> Iterator[FieldProblem]:
    yield from text_problems("venue.name", venue.name, longest=MAX_NAME)
    yield from text_problems("venue.city", venue.city, longest=MAX_NAME)
    if not _COUNTRY.fullmatch(venue.country):
        yield FieldProblem(
            "venue.country", "must be a country code of two capital letters (ISO 3166-1), such as NL or US"
        )


def _sale_problems(terms: ConcertTerms) -> Iterator[FieldProblem]:
    moments = {
        "startsAt": terms.starts_at,
        "salesStartAt": terms.sales_start_at,
        "salesEndAt": terms.sales_end_at,
    }
    for path, moment in moments.items():
        if not EARLIEST <= moment < LATEST:
            yield FieldProblem(path, f"must be in the years {EARLIEST.year} to {LATEST.year - 1}")
    if terms.sales_start_at >= terms.sales_end_at:
        yield FieldProblem("salesEndAt", "must be after salesStartAt")
    if terms.sales_end_at > terms.starts_at + timedelta(days=1):
        yield FieldProblem("salesEndAt", "must be at most one day after startsAt")
    yield from number_problems("limitPerOrder", terms.limit_per_order, 1, MAX_LIMIT)
    yield from number_problems("limitPerPerson", terms.limit_per_person, 1, MAX_LIMIT)
    longest_s = int(MAX_HOLD.total_seconds())
    if not 1_000 <= terms.hold_duration_ms <= longest_s * 1_000:
        yield FieldProblem("holdDurationSeconds", f"must be between 1 and {longest_s} seconds")


def room_problems(path: str, concert: Concert | ConcertDraft) -> Iterator[FieldProblem]:
    """Yield the problems of a concert's room settings; `path` is their place in the input."""
    room = concert.room
    yield from number_problems(f"{path}.totalActiveUsers", room.total_active_users, 1, MAX_ACTIVE_USERS)
    yield from number_problems(f"{path}.newUsersPerMinute", room.new_users_per_minute, 1, MAX_ACTIVE_USERS)
    yield from _room_time_problems(path, room)
    yield from _opening_problems(path, concert)
    # A drawn queue must be able to reject for a while: its lottery can no longer be turned off.
    if room.shuffle_at_start and room.queueing_method not in (QueueingMethod.FIFO, QueueingMethod.REJECT):
        yield FieldProblem(
            f"{path}.shuffleAtStart", f"requires FIFO, and this room uses {room.queueing_method}; change one of them"
        )
    yield from text_problems(f"{path}.message", room.message, longest=MAX_MESSAGE, may_be_empty=True)


def _room_time_problems(path: str, room: RoomSettings) -> Iterator[FieldProblem]:
    times_ms = {
        "passClaimTimeoutSeconds": room.pass_claim_timeout_ms,
        "sessionDurationSeconds": room.session_duration_ms,
        "heartbeatTimeoutSeconds": room.heartbeat_timeout_ms,
        "disconnectGraceSeconds": room.disconnect_grace_ms,
    }
    for name, ms in times_ms.items():
        yield from number_problems(f"{path}.{name}", ms // 1_000, 1, MAX_ROOM_TIME_S)


def _opening_problems(path: str, concert: Concert | ConcertDraft) -> Iterator[FieldProblem]:
    """Yield problems if the room opens outside the sale window or its prequeue starts after the
    opening.
    """
    opens_at = concert.room.opens_at
    if opens_at is not None and opens_at < concert.terms.sales_start_at:
        yield FieldProblem(f"{path}.opensAt", "must not be before salesStartAt; omit it to open at salesStartAt")
    if opens_at is not None and opens_at >= concert.terms.sales_end_at:
        yield FieldProblem(f"{path}.opensAt", "must be before salesEndAt")
    prequeue = concert.room.prequeue_starts_at
    if prequeue is not None and not EARLIEST <= prequeue < (opens_at or concert.terms.sales_start_at):
        yield FieldProblem(
            f"{path}.prequeueStartsAt",
            f"must be before the room opens (opensAt, or salesStartAt without it), and not before {EARLIEST.year}",
        )
