"""Resolvers that copy a concert to a new draft and delete a draft."""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain

from domain.catalog.copies import CopyRequest, copy_concert
from domain.concerts import Concert, ConcertStatus
from domain.errors import IdempotencyConflict, IllegalTransition, InvalidInput, VersionConflict
from domain.ids import ConcertId, copied_concert_id
from domain.inputs.problems import FieldProblem, InputRule
from domain.text.characters import clean_line
from domain.validation import copy_problems, key_problems, raise_problems
from resolvers.concert_updates import MAX_ATTEMPTS, get_organized, pause_before_retry
from resolvers.concerts import make_slug
from resolvers.context import Context
from resolvers.permissions import require_organizer
from storage.mongo.concerts import SlugTaken

log = logging.getLogger(__name__)


async def copy_to_draft(context: Context, source_id: ConcertId, request: CopyRequest, idempotency_key: str) -> Concert:
    """Create a draft with the terms of another concert, and return it.

    A request that is repeated with the same key returns the same draft as it is now. Raises
    InvalidInput, IdempotencyConflict, NotFound or Forbidden.
    """
    raise_problems(key_problems(idempotency_key))
    source, person_id = await get_organized(context, source_id), context.signed_in().person_id
    id_, digest = copied_concert_id(person_id, source_id, idempotency_key), request.digest(source_id)
    if (known := await _find_copy(context, id_, digest)) is not None:
        return known
    if request.name is not None:
        request = replace(request, name=clean_line(request.name))
    raise_problems(chain(copy_problems(request.apply_to(source.terms), request.slug)))
    slug = request.slug or make_slug(request.name or source.terms.name, id_)
    made = copy_concert(source, request, id_=id_, slug=slug, created_by=person_id, now=_now())
    try:
        await context.stores.concerts.insert(made, copy_digest=digest)
    except SlugTaken as error:
        # The same request may have arrived twice at the same time.
        if (known := await _find_copy(context, id_, digest)) is not None:
            return known
        problem = FieldProblem("slug", f"{error.slug!r} is taken; choose another, or omit it", InputRule.TAKEN)
        raise InvalidInput(problem) from error
    context.stores.concert_cache.put(made)
    return made


async def delete_draft(context: Context, concert_id: ConcertId) -> None:
    """Delete a draft and everything that refers to it.

    Raises IllegalTransition if the concert is not a draft, NotFound, Forbidden, or VersionConflict
    if others keep changing the draft.
    """
    for attempt in range(MAX_ATTEMPTS):
        concert = await get_organized(context, concert_id)
        if concert.status is not ConcertStatus.DRAFT:
            is_on = concert.status is ConcertStatus.PUBLISHED
            step = "close or cancel it instead" if is_on else "it is kept for the people with tickets"
            raise IllegalTransition(concert_id, concert.status, "deleted", step=step)
        delete = context.stores.concert_writer.delete_draft(concert_id, version=concert.version)
        if await context.stores.detached_tasks.run(delete):
            context.stores.concert_cache.remove(concert_id)
            log.info("request %s: draft %s was deleted", context.request_id, concert_id)
            return
        await pause_before_retry(attempt)
    raise VersionConflict(concert_id, concert.version, is_retryable=True)


async def _find_copy(context: Context, id_: ConcertId, digest: str) -> Concert | None:
    """Return the copy that an earlier request with this key made.

    Raises IdempotencyConflict, or NotFound if the copy now belongs to another organizer.
    """
    found = await context.stores.concerts.find_copy(id_)
    if found is not None and found.digest != digest:
        raise IdempotencyConflict
    if found is None:
        return None
    require_organizer(context, found.concert)
    return found.concert


def _now() -> datetime:
    """Return the time in whole milliseconds, as MongoDB stores it."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
