"""Test steps for queues on real stores, such as joining, calling, and holding with a pass."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from domain.concerts import Concert
from domain.errors import Admission, NotAdmitted
from domain.holds import Hold
from domain.ids import PersonId
from domain.queue_events import QueueEventKind
from domain.queues import EntryState, QueueEntry, RoomSettings
from proofs.waiting_room.event_histories import read_events
from resolvers import holds, queues
from storage.connect import Stores
from storage.hot.queues import EntryRecord
from tests.support.hot_keys import advance_clock, record_worker_run
from tests.support.sale import context, key, lines, on_sale
from workers.admission import AdmissionWorker
from workers.expiry import ExpiryWorker

WAITING, READY, ADMITTED = EntryState.WAITING, EntryState.READY, EntryState.ADMITTED
ROOM = RoomSettings(suspended=False, total_active_users=2, new_users_per_minute=1_000, heartbeat_timeout_ms=30_000)


async def with_room(stores: Stores, *capacities: int, **settings: Any) -> Concert:
    """Return a concert on sale with a waiting room. By default, it has one tier of ten tickets."""
    return await on_sale(stores, *(capacities or (10,)), room=replace(ROOM, **settings))


async def change_room(stores: Stores, concert: Concert, **settings: Any) -> Concert:
    """Apply settings in the hot store without any checks, and return the changed concert."""
    changed = replace(concert, version=concert.version + 1, room=replace(concert.room, **settings))
    assert await stores.hot_state.apply_concert(changed) == "APPLIED"
    return changed


def make_people(count: int, name: str = "person", *, first: int = 1) -> list[PersonId]:
    return [PersonId(f"{name}{number}") for number in range(first, first + count)]


async def join(stores: Stores, concert: Concert, *people: str) -> list[EntryRecord]:
    """Let people join one after another."""
    return [(await stores.queues.join(concert.id, PersonId(who))).record for who in people]


async def join_all(stores: Stores, concert: Concert, people: Sequence[str]) -> None:
    """Let people join at the same time."""
    await asyncio.gather(*[stores.queues.join(concert.id, PersonId(who)) for who in people])


async def leave_all(stores: Stores, concert: Concert, people: Sequence[str]) -> None:
    """Let people leave at the same time."""
    await asyncio.gather(*[stores.queues.leave(concert.id, PersonId(who)) for who in people])


async def admit(stores: Stores, concert: Concert) -> int:
    """Run the workers of a queue once, and return how many people were called."""
    await ExpiryWorker().run_for(stores, concert.id)
    return (await AdmissionWorker().run_for(stores, concert.id)).done


async def pass_time(stores: Stores, concert: Concert, seconds: int, *, process: str | None = None) -> None:
    """Advance the concert's clock in steps. At each step, run the workers and renew the lease."""
    await record_worker_run(stores, concert.id)
    await ExpiryWorker().run_for(stores, concert.id)
    passed = 0
    while passed < seconds:
        step = min(4, seconds - passed)
        await advance_clock(stores, concert, step * 1_000)
        await record_worker_run(stores, concert.id)
        passed += step
        await admit(stores, concert)
        if process is not None:
            await stores.queues.sync_presence(concert.id, process, is_known=True)


async def records(stores: Stores, concert: Concert, people: Sequence[str]) -> list[EntryRecord]:
    found = await stores.queues.read_entries(concert.id, [PersonId(who) for who in people])
    return [found[PersonId(who)] for who in people]


async def states(stores: Stores, concert: Concert, *people: str) -> list[EntryState]:
    return [record.state for record in await records(stores, concert, people)]


async def is_called(stores: Stores, concert: Concert, who: str) -> bool:
    return await states(stores, concert, who) == [READY]


async def positions(stores: Stores, concert: Concert, *people: str) -> list[int]:
    queue = (await stores.queues.read_queue(concert.id)).positions
    return [queue.position(r.number) for r in await records(stores, concert, people) if r.number is not None]


async def viewer_entry(stores: Stores, concert: Concert, who: str) -> QueueEntry:
    """Return a person's entry as the person sees it."""
    found = await queues.get_viewer_entry(context(stores, who), concert.id)
    assert found is not None
    return found


async def read_waiting(stores: Stores, concert: Concert, people: Sequence[str]) -> list[str]:
    """Return the waiting people, ordered by number, and check that their positions are exact."""
    found = [r for r in await records(stores, concert, people) if r.state in (WAITING, EntryState.PREQUEUED)]
    ordered = [str(r.person_id) for r in sorted(found, key=lambda record: record.number or 0)]
    assert await positions(stores, concert, *ordered) == list(range(1, len(ordered) + 1))
    return ordered


async def read_called(stores: Stores, concert: Concert) -> list[str]:
    """Return everyone who was ever called, in the order in which they were called."""
    return [who for kind, who in await event_pairs(stores, concert) if kind == QueueEventKind.CALLED]


async def event_pairs(stores: Stores, concert: Concert) -> list[tuple[str, str]]:
    """Return the kind and person of each event.

    The person is empty if the event concerns the whole queue.
    """
    return [(event.kind.value, event.person_id or "") for event in await read_events(stores, concert.id)]


async def pass_of(stores: Stores, concert: Concert, who: str) -> str:
    """Claim and return the pass of a person who was called."""
    claimed = await queues.claim_pass(context(stores, who), concert.id)
    assert claimed.queue_pass is not None
    assert claimed.queue_pass.token is not None
    return claimed.queue_pass.token


async def hold_with(stores: Stores, concert: Concert, who: str, token: str | None, quantity: int = 1) -> Hold:
    return await holds.hold_tickets(context(stores, who), concert.id, lines(concert, quantity), key(), token)


async def hold_with_pass(stores: Stores, concert: Concert, who: str, quantity: int = 1) -> Hold:
    """Hold tickets with the pass shown in the person's entry."""
    shown = (await viewer_entry(stores, concert, who)).queue_pass
    assert shown is not None
    return await hold_with(stores, concert, who, shown.token, quantity)


async def refusal_of(stores: Stores, concert: Concert, who: str, token: str | None) -> Admission:
    """Try to hold a ticket with this pass, and return the reason for the refusal."""
    with pytest.raises(NotAdmitted) as refused:
        await hold_with(stores, concert, who, token)
    return refused.value.reason
