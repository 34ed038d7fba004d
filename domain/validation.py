"""Input checks. Each check yields the problems that it finds, with the path of each in the input.

The bounds are generous enough for any real sale, and small enough to keep one request from slowing
others down.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from domain.concerts import Concert, ConcertChange, ConcertDraft, ConcertFilter, ConcertTerms, TierDraft, Venue
from domain.errors import FieldProblem, InvalidInput
from domain.holds import TicketRequest
from domain.ids import ConcertId, concert_of, is_person_id
from domain.orders import Customer
from domain.queues import QueueingMethod
from domain.room_changes import RoomSettingsPatch
from domain.text.characters import block_problems, key_text_problems, line_problems
from domain.text.email_addresses import email_problems
from domain.text.search_words import MAX_QUERY, MAX_QUERY_WORDS, name_key, query_words

MAX_NAME = 200
MAX_DESCRIPTION = 5_000
MAX_KEY = 255
MAX_LINES = 20
MAX_QUANTITY = 1_000
MAX_LIMIT = 1_000
MAX_TIERS = 50
MAX_TIER_CAPACITY = 200_000
MAX_PRICE_MINOR = 999_999_999_999
"""In any currency; what the payment provider takes is usually less. The total for MAX_LIMIT tickets
at this price still fits into 53 bits.
"""
MAX_HOLD = timedelta(hours=2)
MIN_PAYMENT_S = 60
MAX_PAYMENT_S = 1_800
"""A buyer who never pays keeps tickets from others for this long."""
MAX_ACTIVE_USERS = 1_000_000
MAX_ROOM_TIME_S = 7_200
MAX_MESSAGE = 500
MAX_PROOF_BITS = 24
MAX_ADMITTED_AT_ONCE = 1_000
MAX_GATE_PEOPLE = 100
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
NO_CHANGE = ConcertChange()

_ROOM_VALUES = {
    "total_active_users": ("totalActiveUsers", 1, MAX_ACTIVE_USERS),
    "new_users_per_minute": ("newUsersPerMinute", 1, MAX_ACTIVE_USERS),
    "pass_claim_timeout_ms": ("passClaimTimeoutSeconds", 1_000, MAX_ROOM_TIME_S),
    "session_duration_ms": ("sessionDurationSeconds", 1_000, MAX_ROOM_TIME_S),
    "heartbeat_timeout_ms": ("heartbeatTimeoutSeconds", 1_000, MAX_ROOM_TIME_S),
    "disconnect_grace_ms": ("disconnectGraceSeconds", 1_000, MAX_ROOM_TIME_S),
}
"""The numeric settings of a room, each with its API name, the number of internal units per API
unit, and the maximum in API units.
"""
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_COUNTRY = re.compile(r"[A-Z]{2}")


def raise_problems(problems: Iterator[FieldProblem]) -> None:
    """Raise InvalidInput with all problems, if any."""
    found = tuple(problems)
    if found:
        raise InvalidInput(*found)


def number_problems(path: str, value: int, lowest: int, highest: int) -> Iterator[FieldProblem]:
    if not lowest <= value <= highest:
        yield FieldProblem(path, f"is {value}; it must be between {lowest} and {highest}")


def key_problems(key: str) -> Iterator[FieldProblem]:
    yield from key_text_problems("idempotencyKey", key, longest=MAX_KEY)


def ticket_line_problems(concert_id: ConcertId, lines: Sequence[TicketRequest]) -> Iterator[FieldProblem]:
    """Yield the problems with the lines.

    An empty id stands for a malformed one, which the code that parses ids reports.
    """
    if not 1 <= len(lines) <= MAX_LINES:
        yield FieldProblem("lines", f"has {len(lines)} lines; send 1 to {MAX_LINES}")
    for index, line in enumerate(lines[:MAX_LINES]):
        yield from number_problems(f"lines.{index}.quantity", line.quantity, 1, MAX_QUANTITY)
        if not line.tier_id:
            continue
        if concert_id and concert_of(line.tier_id) != concert_id:
            yield FieldProblem(f"lines.{index}.tierId", "is not a tier of this concert; use one of its tiers")
        if any(line.tier_id == earlier.tier_id for earlier in lines[:index]):
            yield FieldProblem(f"lines.{index}.tierId", "repeats the tier of an earlier line; combine the quantities")


def customer_problems(customer: Customer) -> Iterator[FieldProblem]:
    yield from line_problems("customerName", customer.name, longest=MAX_NAME)
    yield from email_problems("customerEmail", customer.email)


def filter_problems(filter_: ConcertFilter) -> Iterator[FieldProblem]:
    """Yield the problems with the texts in a filter; an empty text is ignored."""
    for name, text in (("search", filter_.search), ("city", filter_.city)):
        found = list(line_problems(f"filter.{name}", text or "", longest=MAX_QUERY, may_be_empty=True))
        if not found and name == "search" and len(words := query_words(text or "")) > MAX_QUERY_WORDS:
            found = [FieldProblem("filter.search", f"has {len(words)} words; at most {MAX_QUERY_WORDS} are allowed")]
        yield from found


def is_slug(text: str) -> bool:
    return len(text) <= MAX_NAME and _SLUG.fullmatch(text) is not None


def draft_problems(draft: ConcertDraft) -> Iterator[FieldProblem]:
    yield from line_problems("name", draft.terms.name, longest=MAX_NAME)
    yield from block_problems("description", draft.terms.description, longest=MAX_DESCRIPTION, may_be_empty=True)
    yield from _venue_problems(draft.terms.venue)
    yield from _terms_problems(draft.terms)
    yield from _window_problems(draft.terms)
    yield from room_problems("waitingRoom", draft)
    if draft.slug is not None and not is_slug(draft.slug):
        allowed = f"lowercase letters and digits with single hyphens between them, at most {MAX_NAME} characters"
        yield FieldProblem("slug", f"is not a valid slug; use {allowed}")
    if not 1 <= len(draft.tiers) <= MAX_TIERS:
        yield FieldProblem("tiers", f"has {len(draft.tiers)} tiers; send 1 to {MAX_TIERS}")
    yield from tier_problems("tiers", draft.tiers[:MAX_TIERS])
    yield from _repeated_names("tiers", [tier.name for tier in draft.tiers[:MAX_TIERS]], ())


def change_problems(change: ConcertChange) -> Iterator[FieldProblem]:
    """Yield the problems with the changed values, regardless of the concert's current state."""
    if change.name is not None:
        yield from line_problems("name", change.name, longest=MAX_NAME)
    if change.description is not None:
        yield from block_problems("description", change.description, longest=MAX_DESCRIPTION, may_be_empty=True)
    if change.venue is not None:
        yield from _venue_problems(change.venue)
    yield from _terms_problems(change)
    for index, tier in enumerate(change.tiers):
        at = f"tiers.{index}"
        if any(tier.id and tier.id == earlier.id for earlier in change.tiers[:index]):
            yield FieldProblem(f"{at}.tierId", "is changed twice; combine both changes")
        if tier.name is not None:
            yield from line_problems(f"{at}.name", tier.name, longest=MAX_NAME)
        if tier.price_minor is not None:
            yield from number_problems(f"{at}.priceMinor", tier.price_minor, 0, MAX_PRICE_MINOR)
        if tier.capacity is not None:
            yield from number_problems(f"{at}.capacity", tier.capacity, 0, MAX_TIER_CAPACITY)
    yield from tier_problems("newTiers", change.new_tiers[:MAX_TIERS])
    yield from _gate_problems(change.gate_people or ())


def person_problems(path: str, person_id: str) -> Iterator[FieldProblem]:
    if not is_person_id(person_id):
        yield FieldProblem(
            path,
            "is not the id of a person; send the `sub` claim of the person's token,"
            " 1 to 255 ASCII characters without spaces",
        )


def _gate_problems(people: Sequence[str]) -> Iterator[FieldProblem]:
    if len(people) > MAX_GATE_PEOPLE:
        yield FieldProblem("gatePeople", f"has {len(people)} people; at most {MAX_GATE_PEOPLE} are allowed")
    for index, person_id in enumerate(people[:MAX_GATE_PEOPLE]):
        yield from person_problems(f"gatePeople.{index}", person_id)
        if person_id in people[:index]:
            yield FieldProblem(f"gatePeople.{index}", "names the same person as an earlier item; remove one of them")


def given_problems(change: ConcertChange) -> Iterator[FieldProblem]:
    """Yield the conflicts among the values of a change, without knowing the concert."""
    yield from _window_problems(change)
    yield from _repeated_names("tiers", [tier.name for tier in change.tiers], ())
    added = [tier.name for tier in change.new_tiers[:MAX_TIERS]]
    yield from _repeated_names("newTiers", added, [tier.name for tier in change.tiers])
    if len(change.new_tiers) > MAX_TIERS:
        yield FieldProblem("newTiers", f"has {len(change.new_tiers)} tiers; at most {MAX_TIERS} are allowed")


def changed_concert_problems(before: Concert, after: Concert, change: ConcertChange) -> Iterator[FieldProblem]:
    """Yield the problems with a changed concert as a whole. The concert may keep values that it
    already had.
    """
    for index, tier in enumerate(change.tiers):
        if before.tier(tier.id) is None:
            yield FieldProblem(f"tiers.{index}.tierId", "is not a tier of this concert; use one of its tiers")
    yield from _window_problems(after.terms)
    yield from room_problems("waitingRoom", after, before=before)
    if len(after.tiers) > MAX_TIERS:
        yield FieldProblem(
            "newTiers", f"brings the concert to {len(after.tiers)} tiers; at most {MAX_TIERS} are allowed"
        )
    renamed = {tier.id for tier in change.tiers if tier.name is not None}
    kept = [tier.name for tier in before.tiers if tier.id not in renamed]
    changed = [tier.name for tier in change.tiers]
    yield from _repeated_names("tiers", changed, kept)
    yield from _repeated_names("newTiers", [tier.name for tier in change.new_tiers[:MAX_TIERS]], [*kept, *changed])


def tier_problems(path: str, tiers: Sequence[TierDraft]) -> Iterator[FieldProblem]:
    for index, tier in enumerate(tiers):
        at = f"{path}.{index}"
        yield from line_problems(f"{at}.name", tier.name, longest=MAX_NAME)
        yield from number_problems(f"{at}.priceMinor", tier.price_minor, 0, MAX_PRICE_MINOR)
        yield from number_problems(f"{at}.capacity", tier.capacity, 1, MAX_TIER_CAPACITY)


def _repeated_names(path: str, names: Sequence[str | None], others: Sequence[str | None]) -> Iterator[FieldProblem]:
    """Yield a problem for each tier that has the same name as another tier, ignoring compatibility
    forms, case and spaces.
    """
    taken = {name_key(name) for name in others if name and _is_name(name)}
    for index, name in enumerate(names):
        if not name or not _is_name(name):
            continue
        if (key := name_key(name)) in taken:
            yield FieldProblem(
                f"{path}.{index}.name", f"is {name[:64]!r}, as in another tier; give each tier its own name"
            )
        taken.add(key)


def _is_name(text: str) -> bool:
    return not any(line_problems("", text, longest=MAX_NAME))


def _venue_problems(venue: Venue) -> Iterator[FieldProblem]:
    yield from line_problems("venue.name", venue.name, longest=MAX_NAME)
    yield from line_problems("venue.city", venue.city, longest=MAX_NAME)
    if not _COUNTRY.fullmatch(venue.country):
        yield FieldProblem(
            "venue.country", "must be a country code of two capital letters (ISO 3166-1), such as NL or US"
        )


def _terms_problems(terms: ConcertTerms | ConcertChange) -> Iterator[FieldProblem]:
    """Yield the problems with individual values. None in a change means that the value does not
    change.
    """
    moments = {
        "startsAt": terms.starts_at,
        "salesStartAt": terms.sales_start_at,
        "salesEndAt": terms.sales_end_at,
        "refundsUntil": terms.refunds_until,
    }
    for path, moment in moments.items():
        if moment is not None and not EARLIEST <= moment < LATEST:
            yield FieldProblem(path, f"must be in the years {EARLIEST.year} to {LATEST.year - 1}")
    for path, limit in (("limitPerOrder", terms.limit_per_order), ("limitPerPerson", terms.limit_per_person)):
        if limit is not None:
            yield from number_problems(path, limit, 1, MAX_LIMIT)
    longest_s = int(MAX_HOLD.total_seconds())
    if terms.hold_duration_ms is not None and not 1_000 <= terms.hold_duration_ms <= longest_s * 1_000:
        yield FieldProblem("holdDurationSeconds", f"must be between 1 and {longest_s} seconds")
    if terms.payment_duration_ms is not None:
        seconds = terms.payment_duration_ms // 1_000
        yield from number_problems("paymentDurationSeconds", seconds, MIN_PAYMENT_S, MAX_PAYMENT_S)


def _window_problems(terms: ConcertTerms | ConcertChange) -> Iterator[FieldProblem]:
    """Yield the conflicts between times; None in a change never conflicts."""
    start, end, concert = terms.sales_start_at, terms.sales_end_at, terms.starts_at
    if start is not None and end is not None and start >= end:
        yield FieldProblem("salesEndAt", "must be after salesStartAt")
    if end is not None and concert is not None and end > concert + timedelta(days=1):
        yield FieldProblem("salesEndAt", "must be at most one day after startsAt")
    if terms.refunds_until is not None and concert is not None and terms.refunds_until > concert:
        yield FieldProblem("refundsUntil", "must not be after startsAt; tickets cannot be returned during the concert")


def room_problems(
    path: str, concert: Concert | ConcertDraft, *, before: Concert | None = None
) -> Iterator[FieldProblem]:
    """Yield the problems with a concert's room settings; `path` is the path of the settings in the
    input. An unchanged message is not checked.
    """
    room = concert.room
    yield from _room_value_problems(path, asdict(room))
    yield from _opening_problems(path, asdict(room), concert.terms)
    yield from _lottery_problems(path, asdict(room))
    if before is None or room.message != before.room.message:
        yield from _message_problems(path, room.message)


def patch_problems(
    path: str, patch: RoomSettingsPatch | None, change: ConcertChange = NO_CHANGE
) -> Iterator[FieldProblem]:
    """Yield the problems with the given settings, alone and combined with the given change to the
    concert, regardless of the current state of the room.
    """
    given = dict(patch.given) if patch else {}
    yield from _room_value_problems(path, given)
    yield from _opening_problems(path, given, change)
    yield from _lottery_problems(path, given)
    yield from _message_problems(path, str(given.get("message", "")))


def call_problems(count: int) -> Iterator[FieldProblem]:
    yield from number_problems("count", count, 1, MAX_ADMITTED_AT_ONCE)


def _room_value_problems(path: str, values: Mapping[str, object]) -> Iterator[FieldProblem]:
    for name, (field, unit, highest) in _ROOM_VALUES.items():
        value = values.get(name)
        if isinstance(value, int):
            yield from number_problems(f"{path}.{field}", value // unit, 1, highest)
    bits = values.get("proof_of_work_bits")
    if isinstance(bits, int):
        yield from number_problems(f"{path}.proofOfWorkBits", bits, 0, MAX_PROOF_BITS)


def _message_problems(path: str, message: str) -> Iterator[FieldProblem]:
    yield from block_problems(f"{path}.message", message, longest=MAX_MESSAGE, may_be_empty=True)


def _lottery_problems(path: str, values: Mapping[str, object]) -> Iterator[FieldProblem]:
    method = values.get("queueing_method", QueueingMethod.FIFO)
    # REJECT is allowed, because a lottery cannot be turned off after the draw, and such a queue
    # must still be able to reject people for a while.
    if values.get("shuffle_at_start") and method not in (QueueingMethod.FIFO, QueueingMethod.REJECT):
        yield FieldProblem(f"{path}.shuffleAtStart", f"requires FIFO, and this room uses {method}; change one of them")


def _opening_problems(
    path: str, values: Mapping[str, object], terms: ConcertTerms | ConcertChange
) -> Iterator[FieldProblem]:
    """Yield problems if the room opens outside the sale window or its prequeue starts after the
    opening. A missing time never conflicts.
    """
    start, end = terms.sales_start_at, terms.sales_end_at
    opens_at, prequeue = values.get("opens_at"), values.get("prequeue_starts_at")
    opening = opens_at or (start if "opens_at" in values else None)
    if isinstance(opens_at, datetime) and start is not None and opens_at < start:
        yield FieldProblem(f"{path}.opensAt", "must not be before salesStartAt; omit it to open at salesStartAt")
    if isinstance(opens_at, datetime) and end is not None and opens_at >= end:
        yield FieldProblem(f"{path}.opensAt", "must be before salesEndAt")
    if not isinstance(prequeue, datetime):
        return
    if prequeue < EARLIEST or (isinstance(opening, datetime) and prequeue >= opening):
        yield FieldProblem(
            f"{path}.prequeueStartsAt",
            f"must be before the room opens (opensAt, or salesStartAt without it), and not before {EARLIEST.year}",
        )
