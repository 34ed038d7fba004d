"""Resolvers for the concert fields. They read the catalog and create or change concerts."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import TypeVar

import payments.amounts
from domain.concerts import (
    NEXT_STATUS,
    Concert,
    ConcertChange,
    ConcertDraft,
    ConcertFilter,
    ConcertStatus,
    Tier,
)
from domain.errors import FieldProblem, IllegalTransition, InvalidInput, TemporarilyUnavailable
from domain.ids import ConcertId, PersonId, new_concert_id, tier_id
from domain.money import CurrencyCode
from domain.page import Page
from domain.payments.cancellations import CancellationProgress
from domain.payments.prices import PriceRules, changed_price_problems, draft_price_problems
from domain.stock import Stock, TierStock
from domain.text.cleaning import clean_change, clean_draft
from domain.text.search_words import fold, without_pasted
from domain.validation import (
    NO_CHANGE,
    change_problems,
    changed_concert_problems,
    draft_problems,
    filter_problems,
    is_slug,
    person_problems,
    raise_problems,
)
from resolvers.concert_updates import change_concert, log_postponed, make_command
from resolvers.context import Context
from resolvers.history import build_past_stock, is_past
from resolvers.load_once import NowOrLater
from resolvers.permissions import organizes
from storage.mongo.concerts import SlugTaken

Shown = TypeVar("Shown")

PRICE_RULES: PriceRules = payments.amounts
"""The limits of payments. Both providers, `stripe` and `sandbox`, have those of Stripe."""
_VERBS = {
    ConcertStatus.PUBLISHED: "published",
    ConcertStatus.CLOSED: "closed",
    ConcertStatus.CANCELLED: "canceled",
}
_PUBLIC = (ConcertStatus.PUBLISHED, ConcertStatus.CLOSED, ConcertStatus.CANCELLED)


async def list_concerts(context: Context, filter_: ConcertFilter, *, first: int, after: str | None) -> Page[Concert]:
    """Return one page of the catalog, including the drafts that the viewer may see.

    Raises InvalidInput if the filter contains a text that no concert can have.
    """
    filter_ = replace(filter_, search=without_pasted(filter_.search or ""), city=without_pasted(filter_.city or ""))
    raise_problems(filter_problems(filter_))
    page = await context.stores.concerts.page(_visible_only(context, filter_), first=first, after=after)
    for concert in page.items:
        context.concerts.put(concert.id, concert)
    return page


async def get_concert(context: Context, concert_id: ConcertId) -> Concert | None:
    return _if_visible(context, await context.stores.concerts.get(concert_id))


async def get_cached_concert(context: Context, concert_id: ConcertId) -> Concert | None:
    """Return the concert from the cache, at most two seconds old.

    Without the cache, ten thousand new sockets would cost ten thousand reads.
    """
    return _if_visible(context, await context.stores.concert_cache.get(concert_id))


async def load_concert(context: Context, concert_id: ConcertId) -> Concert | None:
    """Return the result of `get_concert`, read once per request."""
    return await context.concerts.get(concert_id, lambda: get_concert(context, concert_id))


async def load_stock(context: Context, concert: Concert) -> Stock:
    """Return the result of `read_stock`, read once per request. Raises TemporarilyUnavailable."""
    return await context.stocks.get(concert.id, lambda: read_stock(context, concert))


def show_stock(context: Context, concert: Concert, show: Callable[[Stock], Shown]) -> NowOrLater[Shown]:
    """Return `show(stock)`, without waiting if it has been loaded. Raises like `load_stock`."""
    return context.stocks.get_now_or_later(concert.id, lambda: read_stock(context, concert), show)


def after_stock(context: Context, concert: Concert, show: Callable[[], Shown]) -> NowOrLater[Shown]:
    """Return `show()` once the stock has been loaded or has failed to load."""
    if context.stocks.is_loaded(concert.id):
        return show()

    async def load_and_show() -> Shown:
        await load_stocks(context, [concert])
        return show()

    return load_and_show()


async def load_stocks(context: Context, concerts: Iterable[Concert]) -> None:
    """Load the stocks of these concerts in one round trip."""
    await context.stocks.load_all({concert.id: partial(read_stock, context, concert) for concert in concerts})


async def get_concert_by_slug(context: Context, slug: str) -> Concert | None:
    """Return the concert. Returns None without a read if the text is not a valid slug."""
    return _if_visible(context, await context.stores.concerts.get_by_slug(slug)) if is_slug(slug) else None


async def get_currency(context: Context, concert_id: ConcertId) -> CurrencyCode:
    """Return the currency of a concert. Raises NotFound."""
    return await context.stores.concerts.currency_of(concert_id)


async def read_stock(context: Context, concert: Concert) -> Stock:
    """Return the stock. A draft has its whole capacity available, because it is not on sale yet.

    The stock of a past concert is computed from its orders.
    """
    if concert.status is ConcertStatus.DRAFT:
        return Stock(0, 0, tuple(TierStock(tier.id, tier.capacity, held=0, sold=0) for tier in concert.tiers))
    if is_past(concert):
        sold = await context.sold_counts.get(context.stores, concert)
        return build_past_stock(concert, sold, for_organizer=organizes(context, concert))
    return await context.stores.holds.read_stock(concert.id)


async def create_concert(context: Context, draft: ConcertDraft) -> Concert:
    raise_problems(chain(draft_problems(draft), draft_price_problems(draft, PRICE_RULES)))
    draft = clean_draft(draft)
    id_, creator = new_concert_id(), context.signed_in().person_id
    now = datetime.now(UTC)
    concert = Concert(
        id=id_,
        slug=draft.slug or _slug(draft.terms.name, id_),
        terms=draft.terms,
        tiers=tuple(
            Tier(tier_id(id_, number), tier.name, tier.price_minor, capacity=tier.capacity, top=tier.capacity)
            for number, tier in enumerate(draft.tiers, start=1)
        ),
        status=ConcertStatus.DRAFT,
        version=1,
        epoch=0,
        created_by=creator,
        organizer_id=creator,
        # MongoDB stores milliseconds, and the result must equal later reads.
        created_at=now.replace(microsecond=now.microsecond // 1000 * 1000),
        currency=draft.currency,
        room=draft.room,
    )
    try:
        await context.stores.concerts.insert(concert)
    except SlugTaken as error:
        problem = FieldProblem("slug", f"{error.slug!r} is taken; choose another, or omit it")
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
    apply = partial(_apply, clean_change(change))
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
    """Publish a draft. The catalog then shows it, and its sale opens at the scheduled time."""
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
    """Return how far the cancellation of a concert has come, or None if it is not canceled."""
    if concert.status is not ConcertStatus.CANCELLED:
        return None
    return await context.stores.cancellations.read_progress(concert.id)


async def _move(context: Context, concert_id: ConcertId, status: ConcertStatus) -> Concert:
    """Change the status of a concert. Does nothing if it already has that status.

    Raises IllegalTransition, NotFound, Forbidden or VersionConflict.
    """

    def move(before: Concert) -> Concert:
        if status not in (before.status, *NEXT_STATUS[before.status]):
            raise IllegalTransition(concert_id, before.status, _VERBS[status])
        return replace(before, status=status)

    return await change_concert(context, concert_id, move, make_command(context))


def _apply(change: ConcertChange, before: Concert) -> Concert:
    """Return the changed concert. Raises InvalidInput, or IllegalTransition if the concert is
    closed or canceled. A closed concert still takes place, so its gate staff, and nothing else, can
    change.
    """
    is_for_the_gate = change.gate_people is not None and replace(change, gate_people=None) == NO_CHANGE
    is_closed = before.status is ConcertStatus.CLOSED and not is_for_the_gate
    if is_closed or before.status is ConcertStatus.CANCELLED:
        raise IllegalTransition(before.id, before.status, "changed")
    after = _changed(before, change)
    found = (
        change_problems(change),
        changed_concert_problems(before, after, change),
        changed_price_problems(before, after, change, PRICE_RULES),
        _past_problems(before, change),
    )
    raise_problems(chain.from_iterable(found))
    return after


def _changed(before: Concert, change: ConcertChange) -> Concert:
    changes = {tier.id: tier for tier in change.tiers}
    kept = [changes[tier.id].apply_to(tier) if tier.id in changes else tier for tier in before.tiers]
    added = [
        Tier(tier_id(before.id, number), tier.name, tier.price_minor, capacity=tier.capacity, top=tier.capacity)
        for number, tier in enumerate(change.new_tiers, start=len(before.tiers) + 1)
    ]
    return replace(
        before,
        terms=change.apply_to(before.terms),
        room=before.room if change.room is None else change.room.apply_to(before.room),
        tiers=(*kept, *added),
        gate_people=before.gate_people if change.gate_people is None else change.gate_people,
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
            )


def _visible_only(context: Context, filter_: ConcertFilter) -> ConcertFilter:
    """Return the filter, restricted to concerts that the viewer may see."""
    viewer = context.viewer
    if viewer is not None and viewer.is_admin:
        return filter_
    if viewer is not None and viewer.is_organizer:
        return replace(filter_, drafts_of=viewer.person_id)
    asked = _PUBLIC if filter_.statuses is None else filter_.statuses
    return replace(filter_, statuses=tuple(status for status in asked if status in _PUBLIC))


def _if_visible(context: Context, concert: Concert | None) -> Concert | None:
    if concert is None or (concert.status is ConcertStatus.DRAFT and not organizes(context, concert)):
        return None
    return concert


def _slug(name: str, id_: ConcertId) -> str:
    """Build a readable slug from the name and eight characters of the id.

    Those characters make it unique without a lookup.
    """
    words = re.findall(r"[a-z0-9]+", fold(name))
    return "-".join([*"-".join(words)[:180].strip("-").split("-"), id_[:8]]).strip("-")
