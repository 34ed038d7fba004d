"""Input checks. Each check yields the problems that it finds, with the path of each in the input.

The bounds are generous enough for any real sale, and small enough to keep one request from slowing
others down.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from domain.catalog.details import NO_DETAILS
from domain.catalog.details_validation import country_problems, details_problems, doors_problems, place_problems
from domain.concerts import (
    Concert,
    ConcertChange,
    ConcertDraft,
    ConcertTerms,
    TierDraft,
    Venue,
    VenueChange,
)
from domain.errors import InvalidInput
from domain.holds import TicketRequest
from domain.ids import ConcertId, concert_of, is_person_id
from domain.inputs.problems import (
    EARLIEST,
    LATEST,
    FieldProblem,
    InputRule,
    count_problem,
    number_problems,
    unknown_tier_problem,
)
from domain.inputs.rooms import room_problems
from domain.orders import Customer
from domain.text.characters import block_problems, key_text_problems, line_problems
from domain.text.email_addresses import email_problems
from domain.text.search_words import name_key
from domain.venues.time_zones import is_time_zone

MAX_NAME = 200
MAX_DESCRIPTION = 5_000
MAX_KEY = 255
MAX_LINES = 20
MAX_QUANTITY = 1_000
MAX_LIMIT = 1_000
MAX_TIERS = 50
MAX_TIER_CAPACITY = 200_000
MAX_PRICE_MINOR = 999_999_999_999
"""Applies to every currency; the payment provider's maximum is usually lower. The total for
MAX_LIMIT tickets at this price still fits into 53 bits.
"""
MAX_HOLD = timedelta(hours=2)
MIN_PAYMENT_S = 60
MAX_PAYMENT_S = 1_800
"""A buyer who never pays keeps tickets from others for this long."""
MAX_GATE_PEOPLE = 100
_NOWHERE = Venue("", "", "")

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


_PLAIN_KEY = re.compile(rf"[!-~]{{1,{MAX_KEY}}}")
"""Most keys. They have no problems, which this expression finds out faster than the checks do."""


def raise_problems(problems: Iterable[FieldProblem]) -> None:
    """Raise InvalidInput with all problems, if any."""
    found = tuple(problems)
    if found:
        raise InvalidInput(*found)


def key_problems(key: str) -> Iterable[FieldProblem]:
    if _PLAIN_KEY.fullmatch(key) is not None:
        return ()
    return key_text_problems("idempotencyKey", key, longest=MAX_KEY)


def ticket_line_problems(concert_id: ConcertId, lines: Sequence[TicketRequest]) -> Iterable[FieldProblem]:
    """Return the problems with the lines.

    An empty id represents a malformed one, which the code that parses ids reports.
    """
    if len(lines) == 1:
        line = lines[0]
        if 1 <= line.quantity <= MAX_QUANTITY and concert_id and concert_of(line.tier_id) == concert_id:
            return ()
    return _ticket_line_problems(concert_id, lines)


def _ticket_line_problems(concert_id: ConcertId, lines: Sequence[TicketRequest]) -> Iterator[FieldProblem]:
    if not 1 <= len(lines) <= MAX_LINES:
        message = f"has {len(lines)} lines; send 1 to {MAX_LINES}"
        yield count_problem("lines", len(lines), message, lowest=1, highest=MAX_LINES)
    for index, line in enumerate(lines[:MAX_LINES]):
        yield from number_problems(f"lines.{index}.quantity", line.quantity, 1, MAX_QUANTITY)
        if not line.tier_id:
            continue
        if concert_id and concert_of(line.tier_id) != concert_id:
            yield unknown_tier_problem(f"lines.{index}.tierId")
        if any(line.tier_id == earlier.tier_id for earlier in lines[:index]):
            message = "repeats the tier of an earlier line; combine the quantities"
            yield FieldProblem(f"lines.{index}.tierId", message, InputRule.REPEATED)


def customer_problems(customer: Customer) -> Iterator[FieldProblem]:
    yield from line_problems("customerName", customer.name, longest=MAX_NAME)
    yield from email_problems("customerEmail", customer.email)


def is_slug(text: str) -> bool:
    return len(text) <= MAX_NAME and _SLUG.fullmatch(text) is not None


def draft_problems(draft: ConcertDraft) -> Iterator[FieldProblem]:
    yield from line_problems("name", draft.terms.name, longest=MAX_NAME)
    yield from block_problems("description", draft.terms.description, longest=MAX_DESCRIPTION, may_be_empty=True)
    yield from _venue_problems(draft.terms.venue)
    yield from details_problems(draft.terms.details)
    yield from unset_problems(draft.terms)
    yield from _terms_problems(draft.terms)
    yield from _window_problems(draft.terms)
    yield from room_problems("waitingRoom", draft)
    yield from _slug_problems(draft.slug)
    if not 1 <= len(draft.tiers) <= MAX_TIERS:
        message = f"has {len(draft.tiers)} tiers; send 1 to {MAX_TIERS}"
        yield count_problem("tiers", len(draft.tiers), message, lowest=1, highest=MAX_TIERS)
    yield from tier_problems("tiers", draft.tiers[:MAX_TIERS])
    yield from _repeated_names("tiers", [tier.name for tier in draft.tiers[:MAX_TIERS]], ())


def copy_problems(terms: ConcertTerms, slug: str | None) -> Iterator[FieldProblem]:
    """Yield the problems with the name, the slug and the times of a copy. Its other terms come from
    the original, where they were checked.
    """
    yield from line_problems("name", terms.name, longest=MAX_NAME)
    yield from _terms_problems(terms)
    yield from _window_problems(terms)
    yield from _slug_problems(slug)


def _slug_problems(slug: str | None) -> Iterator[FieldProblem]:
    if slug is not None and not is_slug(slug):
        allowed = f"lowercase letters and digits with single hyphens between them, at most {MAX_NAME} characters"
        yield FieldProblem("slug", f"is not a valid slug; use {allowed}", InputRule.INVALID_FORMAT)


def change_problems(change: ConcertChange) -> Iterator[FieldProblem]:
    """Yield the problems with the changed values, regardless of the concert's current state."""
    if change.name is not None:
        yield from line_problems("name", change.name, longest=MAX_NAME)
    if change.description is not None:
        yield from block_problems("description", change.description, longest=MAX_DESCRIPTION, may_be_empty=True)
    if change.venue is not None:
        yield from _venue_problems(change.venue)
    yield from details_problems(change.details.apply_to(NO_DETAILS))
    yield from _terms_problems(change)
    for index, tier in enumerate(change.tiers):
        at = f"tiers.{index}"
        if any(tier.id and tier.id == earlier.id for earlier in change.tiers[:index]):
            yield FieldProblem(f"{at}.tierId", "is changed twice; combine both changes", InputRule.REPEATED)
        if tier.name is not None:
            yield from line_problems(f"{at}.name", tier.name, longest=MAX_NAME)
        if tier.price_minor is not None:
            yield from number_problems(f"{at}.priceMinor", tier.price_minor, 0, MAX_PRICE_MINOR)
        if tier.capacity is not None:
            yield from number_problems(f"{at}.capacity", tier.capacity, 0, MAX_TIER_CAPACITY)
    yield from tier_problems("newTiers", change.new_tiers[:MAX_TIERS])
    yield from _gate_problems(change.gate_people or ())


def unset_problems(terms: ConcertTerms) -> Iterator[FieldProblem]:
    """Yield the required terms that are not set, because an earlier version of Onsale created the
    concert and did not ask for them.
    """
    if terms.venue.time_zone is None:
        message = "is not set; set it to the IANA time zone of the venue, such as America/Denver"
        yield FieldProblem("venue.timeZone", message, InputRule.REQUIRED)


def person_problems(path: str, person_id: str) -> Iterator[FieldProblem]:
    if not is_person_id(person_id):
        yield FieldProblem(
            path,
            "is not the id of a person; send the `sub` claim of the person's token,"
            " 1 to 255 ASCII characters without spaces",
            InputRule.INVALID_FORMAT,
        )


def _gate_problems(people: Sequence[str]) -> Iterator[FieldProblem]:
    if len(people) > MAX_GATE_PEOPLE:
        message = f"has {len(people)} people; at most {MAX_GATE_PEOPLE} are allowed"
        yield count_problem("gatePeople", len(people), message, highest=MAX_GATE_PEOPLE)
    for index, person_id in enumerate(people[:MAX_GATE_PEOPLE]):
        yield from person_problems(f"gatePeople.{index}", person_id)
        if person_id in people[:index]:
            message = "names the same person as an earlier item; remove one of them"
            yield FieldProblem(f"gatePeople.{index}", message, InputRule.REPEATED)


def given_problems(change: ConcertChange) -> Iterator[FieldProblem]:
    """Yield the conflicts among the values of a change, without knowing the concert."""
    yield from _window_problems(change)
    yield from _repeated_names("tiers", [tier.name for tier in change.tiers], ())
    added = [tier.name for tier in change.new_tiers[:MAX_TIERS]]
    yield from _repeated_names("newTiers", added, [tier.name for tier in change.tiers])
    if len(change.new_tiers) > MAX_TIERS:
        message = f"has {len(change.new_tiers)} tiers; at most {MAX_TIERS} are allowed"
        yield count_problem("newTiers", len(change.new_tiers), message, highest=MAX_TIERS)


def changed_concert_problems(before: Concert, after: Concert, change: ConcertChange) -> Iterator[FieldProblem]:
    """Yield the problems with a changed concert as a whole. The concert may keep values that it
    already had.
    """
    for index, tier in enumerate(change.tiers):
        if before.tier(tier.id) is None:
            yield unknown_tier_problem(f"tiers.{index}.tierId")
    yield from _window_problems(after.terms)
    yield from room_problems("waitingRoom", after, before=before)
    if len(after.tiers) > MAX_TIERS:
        message = f"brings the concert to {len(after.tiers)} tiers; at most {MAX_TIERS} are allowed"
        yield count_problem("newTiers", len(after.tiers), message, highest=MAX_TIERS)
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
            message = f"is {name[:64]!r}, as in another tier; give each tier its own name"
            yield FieldProblem(f"{path}.{index}.name", message, InputRule.REPEATED)
        taken.add(key)


def _is_name(text: str) -> bool:
    return not any(line_problems("", text, longest=MAX_NAME))


def _venue_problems(venue: Venue | VenueChange) -> Iterator[FieldProblem]:
    """Yield the problems with individual values; None in a change means no change."""
    for path, text in (("venue.name", venue.name), ("venue.city", venue.city)):
        if text is not None:
            yield from line_problems(path, text, longest=MAX_NAME)
    if venue.country is not None:
        yield from country_problems("venue.country", venue.country)
    if venue.time_zone is not None and not is_time_zone(venue.time_zone):
        yield FieldProblem(
            "venue.timeZone",
            f"is {venue.time_zone[:64]!r}, which is not a time zone; send an IANA name, such as Europe/Amsterdam",
            InputRule.INVALID_FORMAT,
        )
    placed = venue if isinstance(venue, Venue) else venue.place.apply_to(_NOWHERE)
    yield from place_problems(placed.address, placed.coordinates)


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
            first, last = EARLIEST.year, LATEST.year - 1
            message = f"must be in the years {first} to {last}"
            yield FieldProblem(path, message, InputRule.WRONG_YEAR, minimum=first, maximum=last)
    for path, limit in (("limitPerOrder", terms.limit_per_order), ("limitPerPerson", terms.limit_per_person)):
        if limit is not None:
            yield from number_problems(path, limit, 1, MAX_LIMIT)
    longest_s = int(MAX_HOLD.total_seconds())
    if terms.hold_duration_ms is not None and not 1_000 <= terms.hold_duration_ms <= longest_s * 1_000:
        yield FieldProblem(
            "holdDurationSeconds",
            f"must be between 1 and {longest_s} seconds",
            InputRule.OUT_OF_RANGE,
            minimum=1,
            maximum=longest_s,
            given=terms.hold_duration_ms // 1_000,
        )
    if terms.payment_duration_ms is not None:
        seconds = terms.payment_duration_ms // 1_000
        yield from number_problems("paymentDurationSeconds", seconds, MIN_PAYMENT_S, MAX_PAYMENT_S)


def _window_problems(terms: ConcertTerms | ConcertChange) -> Iterator[FieldProblem]:
    """Yield the conflicts between times; None in a change never conflicts."""
    start, end, concert = terms.sales_start_at, terms.sales_end_at, terms.starts_at
    if start is not None and end is not None and start >= end:
        yield FieldProblem("salesEndAt", "must be after salesStartAt", InputRule.TOO_EARLY, other="salesStartAt")
    if end is not None and concert is not None and end > concert + timedelta(days=1):
        message, day_s = "must be at most one day after startsAt", 86_400
        yield FieldProblem("salesEndAt", message, InputRule.TOO_LATE, other="startsAt", maximum=day_s)
    if terms.refunds_until is not None and concert is not None and terms.refunds_until > concert:
        message = "must not be after startsAt; tickets cannot be refunded during the concert"
        yield FieldProblem("refundsUntil", message, InputRule.TOO_LATE, other="startsAt")
    details = terms.details if isinstance(terms, ConcertTerms) else terms.details.apply_to(NO_DETAILS)
    yield from doors_problems(details.doors_at, concert)
