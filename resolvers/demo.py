"""Fills an empty catalog with the demo concerts, as the demo organizer olivia.

Even after repeated, concurrent or interrupted runs, every demo concert exists once and is
published. A database that contains any other concert is not changed.
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from auth.dev_issuer.demo_users import find_demo_user
from auth.viewer import Role, Viewer
from domain.concerts import Concert, ConcertDraft, ConcertFilter, ConcertStatus
from domain.demo import demo_drafts
from domain.errors import IllegalTransition, InvalidInput, OnsaleError, VersionConflict
from domain.ids import PersonId
from domain.images.image import ImageChange, image_id_of
from domain.page import PageRequest
from images.posters.designs import DESIGNS, render
from resolvers.concerts import create_concert, list_concerts, publish_concert
from resolvers.context import Context

log = logging.getLogger(__name__)

CATALOG = Path(__file__).parents[1] / "deploy" / "demo" / "concerts.json"
STORES_WITHIN_S = 10.0
"""How long startup waits for external stores. Embedded stores are ready before this code runs."""
_PROBE_EVERY_S = 0.1
_MOST_LISTED = 100


async def load_demo(context: Context) -> int:
    """Load the demo concerts and return the number of concerts created.

    If a store is unavailable, a warning is logged and the result is 0. The next start tries again.
    """
    drafts = demo_drafts(CATALOG.read_bytes(), datetime.now(UTC))
    context = replace(context, given_viewer=_demo_organizer())
    try:
        await _until_ready(context)
        return await _fill(context, drafts)
    except (OnsaleError, TimeoutError) as error:
        log.warning("the demo concerts were not loaded: %s", str(error) or "the stores are not ready")
        return 0


async def _until_ready(context: Context) -> None:
    """Wait until the stores are ready, including the unique index on slugs. Raises TimeoutError."""
    async with asyncio.timeout(STORES_WITHIN_S):
        while True:
            if not await context.stores.problems():
                return
            await asyncio.sleep(_PROBE_EVERY_S)


async def _fill(context: Context, drafts: tuple[ConcertDraft, ...]) -> int:
    page = await list_concerts(context, ConcertFilter(), PageRequest(_MOST_LISTED))
    slugs = {draft.slug for draft in drafts}
    known = {concert.slug: concert for concert in page.items}
    if page.has_next_page or known.keys() - slugs:
        return 0
    created = 0
    for draft in drafts:
        concert = known.get(draft.slug or "")
        if concert is None:
            concert = await _create(context, draft)
            created += concert is not None
        if concert is not None and concert.status is ConcertStatus.DRAFT:
            # Another process that is also loading the demo may publish it first.
            with suppress(IllegalTransition, VersionConflict):
                await publish_concert(context, concert.id)
    return created


async def _create(context: Context, draft: ConcertDraft) -> Concert | None:
    """Create the concert. Returns None if another process has just created it."""
    try:
        return await create_concert(context, replace(draft, image=await _poster(context, draft.slug or "")))
    except InvalidInput as error:
        if [problem.path for problem in error.problems] == ["slug"]:
            return None
        raise


async def _poster(context: Context, slug: str) -> ImageChange:
    """Draw and store the poster of a demo concert. The id of its largest file is also its own,
    because it was never uploaded.
    """
    sizes = await asyncio.to_thread(render, slug)
    image_id = image_id_of(sizes[-1].content)
    await context.stores.images.write(image_id, sizes, uploaded_by=context.signed_in().person_id)
    return ImageChange(image_id, DESIGNS[slug].alt)


def _demo_organizer() -> Viewer:
    """Return olivia with the admin role added, so that other organizers' drafts are visible."""
    person = find_demo_user("olivia")
    assert person is not None
    return Viewer(PersonId(person.subject), person.username, person.email, frozenset({*person.roles, Role.ADMIN}))
