"""Resolvers for the concert fields. They read the catalog and create or change concerts."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import TypeVar

import payments.amounts
from domain.catalog.filter_validation import filter_problems
from domain.catalog.listing import ConcertSort, MatchCount
from domain.concerts import (
    NEXT_STATUS,
    NO_CHANGE,
    Concert,
    ConcertChange,
    ConcertDraft,
    ConcertFilter,
    ConcertStatus,
    VenueChange,
)
from domain.errors import IllegalTransition, InvalidInput, NotFound, TemporarilyUnavailable
from domain.ids import ConcertId, PersonId, new_concert_id, tier_id
from domain.images.problems import image_problems, missing_image_problems
from domain.inputs.problems import FieldProblem, InputRule
from domain.money import CurrencyCode
from domain.page import Page, PageRequest
from domain.payments.cancellations import CancellationProgress
from domain.payments.prices import PriceRules, changed_price_problems, draft_price_problems
from domain.stock import Stock
from domain.text.cleaning import clean_change, clean_draft
from domain.text.search_words import fold, without_pasted
from domain.tiers.validation import changed_tier_problems, draft_tier_problems, given_tier_problems
from domain.validation import (
    change_problems,
    changed_concert_problems,
    draft_problems,
    is_slug,
    person_problems,
    raise_problems,
    unset_problems,
)
from resolvers.catalog.concert_images import read_chosen_image
from resolvers.concert_updates import change_concert, log_postponed, make_command
from resolvers.context import Context
from resolvers.history import build_past_stock, build_unsold_stock, is_past
from resolvers.load_once import NowOrLater
from resolvers.permissions import organizes, visible_stock
from storage.mongo.concerts import SlugTaken

Shown = TypeVar("Shown")

PRICE_RULES: PriceRules = payments.amounts
"""The limits of payments. They are Stripe's for both providers, `stripe` and `sandbox`."""
_VERBS = {
    ConcertStatus.PUBLISHED: "published",
    ConcertStatus.CLOSED: "closed",
    ConcertStatus.CANCELLED: "canceled",
}
_PUBLIC = (ConcertStatus.PUBLISHED, ConcertStatus.CLOSED, ConcertStatus.CANCELLED)


async def list_concerts(
    context: Context, filter_: ConcertFilter, request: PageRequest, sort: ConcertSort = ConcertSort.STARTS_AT
) -> Page[Concert]:
    """Return one page of the catalog, including the drafts that the viewer may see.

    Raises InvalidInput if no concert can match the filter, and BadUserInput for a cursor of another
    list.
    """
    page = await context.stores.concerts.page(_readable(context, filter_), request, sort)
    for concert in page.items:
        context.concerts.put(concert.id, concert)
    return page


async def count_concerts(context: Context, filter_: ConcertFilter) -> MatchCount:
    """Count the concerts on all pages of `list_concerts`, up to a maximum."""
    return await context.stores.concerts.count(_readable(context, filter_))


async def get_concert(context: Context, concert_id: ConcertId) -> Concert | None:
    return _if_visible(context, await context.stores.concerts.get(concert_id))


async def get_cached_concert(context: Context, concert_id: ConcertId) -> Concert | None:
    """Return the concert from the cache, at most two seconds old.

    Without the cache, ten thousand new sockets would cost ten thousand reads.
    """
    return _if_visible(context, await context.stores.concert_cache.get(concert_id))


async def load_concert(context: Context, concert_id: ConcertId) -> Concert | None:
    """Return the concert, read once per request: from the database, or from the cache for a push.

    Returns None if the viewer may not see it.
    """
    return await context.concerts.get(concert_id, partial(_read_concert, context, concert_id))


def show_concert(context: Context, concert_id: ConcertId, show: Callable[[Concert | None], Shown]) -> NowOrLater[Shown]:
    """Return `show(concert)`, without waiting if it has been loaded."""
    return context.concerts.get_now_or_later(concert_id, partial(_read_concert, context, concert_id), show)


async def _read_concert(context: Context, concert_id: ConcertId) -> Concert | None:
    return await (get_cached_concert if context.is_push else get_concert)(context, concert_id)


async def load_stock(context: Context, concert: Concert) -> Stock:
    """Return the result of `read_stock`, read once per request. Raises TemporarilyUnavailable."""
    return await context.stocks.get(concert.id, lambda: read_stock(context, concert))


def show_stock(context: Context, concert: Concert, show: Callable[[Stock], Shown]) -> NowOrLater[Shown]:
    """Return `show(stock)`, without waiting if it has been loaded. Raises like `load_stock`."""
    return context.stocks.get_now_or_later(concert.id, lambda: read_stock(context, concert), show)


def after_stock(context: Context, concert: Concert, show: Callable[[Stock | None], Shown]) -> NowOrLater[Shown]:
    """Return `show(stock)` once the stock has been loaded, or `show(None)` if it cannot be."""
    if context.stocks.is_loaded(concert.id):
        return show(context.stocks.get_if_loaded(concert.id))

    async def load_and_show() -> Shown:
        await load_stocks(context, [concert])
        return show(context.stocks.get_if_loaded(concert.id))

    return load_and_show()


async def load_stocks(context: Context, concerts: Iterable[Concert]) -> None:
    """Load the stocks of these concerts in one round trip."""
    await context.stocks.load_all({concert.id: partial(read_stock, context, concert) for concert in concerts})


async def get_concert_by_slug(context: Context, slug: str) -> Concert | None:
    """Return the concert. Returns None without a read if the text is not a valid slug."""
    if not is_slug(slug):
        return None
    found = _if_visible(context, await context.stores.concerts.get_by_slug(slug))
    if found is not None:
        context.concerts.put(found.id, found)
    return found


async def get_currency(context: Context, concert_id: ConcertId) -> CurrencyCode:
    """Return the currency of a concert. Raises NotFound."""
    if context.is_push:
        concert = await context.stores.concert_cache.get(concert_id)
        if concert is None:
            raise NotFound("Concert", concert_id)
        return concert.currency
    return await context.stores.concerts.currency_of(concert_id)


async def read_stock(context: Context, concert: Concert) -> Stock:
    """Return the stock of the tiers that the viewer may see."""
    return visible_stock(context, await _read_whole_stock(context, concert))


async def _read_whole_stock(context: Context, concert: Concert) -> Stock:
    """Return the stock. A draft has its whole capacity available, because it is not on sale yet.

    The stock of a past concert is computed from its orders.
    """
    if concert.status is ConcertStatus.DRAFT:
        tiers = tuple(build_unsold_stock(tier).unless_withdrawn() for tier in concert.tiers)
        return Stock(0, 0, tiers, concert.currency, concert.organizer_id)
    if is_past(concert):
        sold = await context.sold_counts.get(context.stores, concert)
        return build_past_stock(concert, sold, for_organizer=organizes(context, concert))
    return await context.stores.holds.read_stock(concert)


async def create_concert(context: Context, draft: ConcertDraft) -> Concert:
    price_problems = draft_price_problems(draft, PRICE_RULES)
    raise_problems(
        chain(draft_problems(draft), price_problems, draft_tier_problems(draft), image_problems(draft.image))
    )
    draft = clean_draft(draft)
    image = await read_chosen_image(context, draft.image)
    raise_problems(missing_image_problems(image, None))
    id_, creator = new_concert_id(), context.signed_in().person_id
    now = datetime.now(UTC)
    concert = Concert(
        id=id_,
        slug=draft.slug or make_slug(draft.terms.name, id_),
        terms=draft.terms,
        tiers=tuple(tier.build(tier_id(id_, number)) for number, tier in enumerate(draft.tiers, start=1)),
        status=ConcertStatus.DRAFT,
        version=1,
        epoch=0,
        created_by=creator,
        organizer_id=creator,
        # MongoDB stores milliseconds, and the result must equal later reads.
        created_at=now.replace(microsecond=now.microsecond // 1000 * 1000),
        currency=draft.currency,
        room=draft.room,
        image=image.apply_to(None) if image else None,
    )
    try:
        await context.stores.concerts.insert(concert)
    except SlugTaken as error:
        problem = FieldProblem("slug", f"{error.slug!r} is taken; choose another, or omit it", InputRule.TAKEN)
        raise InvalidInput(problem) from error
    context.stores.concert_cache.put(concert)
    return concert


async def update_concert(
    context: Context, concert_id: ConcertId, change: ConcertChange, *, expected_version: int | None
) -> Concert:
    """Change a concert and return it. The version increases only if something changes.

    Raises VersionConflict if `expected_version` is given and another change came first,
    IllegalTransition if the concert is closed, NotFound, Forbidden, and InvalidInput. Without an
    expected version, the change applies to any version and is retried after a lost race.
    """
    change = clean_change(change)
    change = replace(change, image=await read_chosen_image(context, change.image))
    apply = partial(_apply, change)
    return await change_concert(context, concert_id, apply, make_command(context), expected_version=expected_version)


async def change_organizer(
    context: Context, concert_id: ConcertId, organizer_id: PersonId, *, expected_version: int | None
) -> Concert:
    """Give the concert to another organizer. Raises VersionConflict, NotFound or InvalidInput."""
    raise_problems(person_problems("organizerId", organizer_id))

    def change(before: Concert) -> Concert:
        return replace(before, organizer_id=organizer_id)

    return await change_concert(context, concert_id, change, make_command(context), expected_version=expected_version)


async def publish_concert(context: Context, concert_id: ConcertId) -> Concert:
    """Publish a draft. The catalog then shows it, and its sale opens at the scheduled time.

    Raises InvalidInput if a required term is not set.
    """
    concert = await _move(context, concert_id, ConcertStatus.PUBLISHED)
    # The first recovery of a concert creates its hot state, so new stock and lost stock take the
    # same path.
    try:
        await context.stores.recovery.ensure(concert_id)
    except TemporarilyUnavailable as error:
        log_postponed(context, f"concert {concert_id} has no hot state yet", error)
    return concert


async def close_concert(context: Context, concert_id: ConcertId) -> Concert:
    """Close the sale. New holds are then refused, but active holds can still be bought."""
    return await _move(context, concert_id, ConcertStatus.CLOSED)


async def cancel_concert(context: Context, concert_id: ConcertId) -> Concert:
    """Cancel a concert that is published or closed. A worker then cancels or refunds its orders.

    The status is written first, so the worker finds the concert even if the job cannot be written
    now. Raises IllegalTransition, NotFound or Forbidden.
    """
    concert = await _move(context, concert_id, ConcertStatus.CANCELLED)
    try:
        now = datetime.now(UTC)
        await context.stores.cancellations.start(concert_id, requested_by=context.signed_in().person_id, now=now)
    except TemporarilyUnavailable as error:
        log_postponed(context, f"the orders of concert {concert_id} are not being refunded yet", error)
    return concert


async def read_cancellation(context: Context, concert: Concert) -> CancellationProgress | None:
    """Return the progress of a concert's cancellation, or None if it is not canceled."""
    if concert.status is not ConcertStatus.CANCELLED:
        return None
    return await context.stores.cancellations.read_progress(concert.id)


async def _move(context: Context, concert_id: ConcertId, status: ConcertStatus) -> Concert:
    """Change the status of a concert. Does nothing if it already has that status.

    Raises IllegalTransition, NotFound, Forbidden, VersionConflict, or InvalidInput if a required
    term of a draft is not set.
    """

    def move(before: Concert) -> Concert:
        if status not in (before.status, *NEXT_STATUS[before.status]):
            raise IllegalTransition(concert_id, before.status, _VERBS[status])
        if before.status is ConcertStatus.DRAFT:
            raise_problems(unset_problems(before.terms))
        return replace(before, status=status)

    return await change_concert(context, concert_id, move, make_command(context))


def _apply(change: ConcertChange, before: Concert) -> Concert:
    """Return the changed concert. Raises InvalidInput, or IllegalTransition if the concert is
    closed or canceled.
    """
    is_closed = before.status is ConcertStatus.CLOSED and not _is_possible_after_closing(change)
    if is_closed or before.status is ConcertStatus.CANCELLED:
        raise IllegalTransition(before.id, before.status, "changed")
    after = _changed(before, change)
    found = (
        change_problems(change),
        changed_concert_problems(before, after, change),
        changed_price_problems(before, after, change, PRICE_RULES),
        given_tier_problems(change),
        changed_tier_problems(before, after, change),
        _past_problems(before, change),
        missing_image_problems(change.image, before.image),
    )
    raise_problems(chain.from_iterable(found))
    return after


def _is_possible_after_closing(change: ConcertChange) -> bool:
    """Return whether only the gate staff or the venue's time zone changes. These still matter,
    because a closed concert takes place.
    """
    changes_other_terms = replace(change, gate_people=None, venue=None) != NO_CHANGE
    changes_the_venue = change.venue is not None and replace(change.venue, time_zone=None) != VenueChange()
    return change != NO_CHANGE and not changes_other_terms and not changes_the_venue


def _changed(before: Concert, change: ConcertChange) -> Concert:
    changes = {tier.id: tier for tier in change.tiers}
    left = [tier for tier in before.tiers if tier.id not in change.removed_tiers]
    kept = [changes[tier.id].apply_to(tier) if tier.id in changes else tier for tier in left]
    numbered = enumerate(change.new_tiers, start=before.next_ordinal)
    added = [tier.build(tier_id(before.id, number)) for number, tier in numbered]
    return replace(
        before,
        terms=change.apply_to(before.terms),
        room=before.room if change.room is None else change.room.apply_to(before.room),
        tiers=(*kept, *added),
        highest_ordinal=before.next_ordinal - 1 if change.removed_tiers else before.highest_ordinal,
        gate_people=before.gate_people if change.gate_people is None else change.gate_people,
        image=before.image if change.image is None else change.image.apply_to(before.image),
    )


def _past_problems(before: Concert, change: ConcertChange) -> Iterator[FieldProblem]:
    """Yield a problem for each lowered capacity of a past concert. Only the hot state can decide
    whether a lower capacity is possible, and it no longer contains this concert.
    """
    for index, tier in enumerate(change.tiers if is_past(before) else ()):
        old = before.tier(tier.id)
        if old is not None and tier.capacity is not None and tier.capacity < old.capacity:
            yield FieldProblem(
                f"tiers.{index}.capacity",
                f"is {tier.capacity}; at least {old.capacity} is required, because the concert ended over 30 days ago;"
                " move its dates into the future first",
                InputRule.OUT_OF_RANGE,
                minimum=old.capacity,
                given=tier.capacity,
            )


def _readable(context: Context, filter_: ConcertFilter) -> ConcertFilter:
    """Return the filter with clean texts, restricted to concerts that the viewer may see.

    Raises InvalidInput.
    """
    filter_ = replace(filter_, search=without_pasted(filter_.search or ""), city=without_pasted(filter_.city or ""))
    raise_problems(filter_problems(filter_))
    viewer = context.viewer
    if filter_.mine and viewer is None:
        return replace(filter_, statuses=())
    if filter_.mine and viewer is not None:
        filter_ = replace(filter_, organizer_id=viewer.person_id)
    if viewer is not None and viewer.is_admin:
        return filter_
    if viewer is not None and viewer.is_organizer:
        return replace(filter_, drafts_of=viewer.person_id)
    asked = _PUBLIC if filter_.wanted_statuses is None else filter_.wanted_statuses
    return replace(filter_, statuses=tuple(status for status in asked if status in _PUBLIC))


def _if_visible(context: Context, concert: Concert | None) -> Concert | None:
    if concert is None or (concert.status is ConcertStatus.DRAFT and not organizes(context, concert)):
        return None
    return concert


def make_slug(name: str, id_: ConcertId) -> str:
    """Build a readable slug from the name and eight characters of the id.

    Those characters make it unique without a lookup.
    """
    words = re.findall(r"[a-z0-9]+", fold(name))
    return "-".join([*"-".join(words)[:180].strip("-").split("-"), id_[:8]]).strip("-")
