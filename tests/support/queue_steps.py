"""What scenarios of a line ask of it: many who join at once, who stands where, who was called, holds with a pass."""

import asyncio
from collections.abc import Sequence

import pytest

from domain.concerts import Concert
from domain.errors import Admission, NotAdmitted
from domain.holds import Hold
from domain.ids import PersonId
from domain.queues import EntryState
from resolvers import holds, queues
from storage.connect import Stores
from tests.integration.test_storage_rooms import (
    events,
    positions,
    records,
)
from tests.support.sale import (
    context,
    key,
    lines,
)

WAITING, READY, ADMITTED = EntryState.WAITING, EntryState.READY, EntryState.ADMITTED


def make_people(count: int, name: str = "p") -> list[str]:
    return [f"{name}{number}" for number in range(1, count + 1)]


async def join_all(stores: Stores, concert: Concert, people: Sequence[str]) -> None:
    """At once."""
    await asyncio.gather(*[stores.queues.join(concert.id, PersonId(who)) for who in people])


async def read_positions(stores: Stores, concert: Concert, people: Sequence[str]) -> list[str]:
    """Those of them who wait, in the order of the line; their positions are exact."""
    found = [record for record in await records(stores, concert, people) if record.state in (WAITING, "PREQUEUED")]
    ordered = sorted(found, key=lambda record: record.number or 0)
    assert await positions(stores, concert, *[r.person_id for r in ordered]) == list(range(1, len(ordered) + 1))
    return [str(record.person_id) for record in ordered]


async def read_called(stores: Stores, concert: Concert) -> list[str]:
    """Everybody who was ever called, in that order."""
    return [who for kind, who in await events(stores, concert.id) if kind == "called"]


async def hold_with(stores: Stores, concert: Concert, who: str, token: str | None) -> Hold:
    return await holds.hold_tickets(context(stores, who), concert.id, lines(concert, 1), key(), token)


async def pass_of(stores: Stores, concert: Concert, who: str) -> str:
    claimed = await queues.claim_pass(context(stores, who), concert.id)
    assert claimed.queue_pass is not None
    assert claimed.queue_pass.token is not None
    return claimed.queue_pass.token


async def refusal_of(stores: Stores, concert: Concert, who: str, token: str | None) -> Admission:
    with pytest.raises(NotAdmitted) as refused:
        await hold_with(stores, concert, who, token)
    return refused.value.reason
