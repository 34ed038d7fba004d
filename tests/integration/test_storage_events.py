"""Queue events and their consumers on each kind of store: delivery, limits and dead letters."""

import asyncio
from datetime import UTC, datetime

import pytest

from domain.concerts import Concert
from resolvers import queues
from storage.connect import Stores
from storage.hot import events as events_module
from storage.hot.events import StoredEvent
from tests.support.event_consumers import length, letters, make_idle, make_queue, stream
from tests.support.sale import context

GROUP = "readers"
PAUSES_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000]
LEASE_MS = 15_000


async def claim(stores: Stores, concert: Concert, *, limit: int = 100, group: str = GROUP) -> list[StoredEvent]:
    return list((await stores.events.claim(concert.id, group, limit=limit)).events)


def people(events: list[StoredEvent]) -> list[str]:
    return [event.fields["person"] for event in events]


async def acknowledge(stores: Stores, concert: Concert, *events: StoredEvent, group: str = GROUP) -> int:
    return await stores.events.acknowledge(concert.id, group, [event.id for event in events])


async def idle(stores: Stores, concert: Concert, event: StoredEvent, idle_ms: int) -> None:
    await make_idle(stores, concert, event.id, idle_ms, group=GROUP)


async def fail_all_tries(stores: Stores, concert: Concert, event: StoredEvent) -> StoredEvent:
    """Let an event fail until it has no tries left. Return its last delivery."""
    while await stores.events.record_failure(concert.id, GROUP, event, "no such entry") == "RETRY_LATER":
        await idle(stores, concert, event, 60_000)
        event = next(again for again in await claim(stores, concert) if again.id == event.id)
    return event


async def test_a_group_receives_each_event_once_and_in_order(any_stores: Stores) -> None:
    concert = await make_queue(any_stores, "ann", "ben", "cyd")
    first, rest = await claim(any_stores, concert, limit=2), await claim(any_stores, concert)
    assert [people(first), people(rest), await claim(any_stores, concert)] == [["ann", "ben"], ["cyd"], []]
    assert first[0].fields == {"event": "joined", "person": "ann", "place": "1", "round": "1"}
    assert [event.tries for event in first + rest] == [1, 1, 1]
    assert await acknowledge(any_stores, concert, *first, *rest) == 3
    assert await acknowledge(any_stores, concert, *first) == 0


async def test_a_concert_without_events_has_no_stream(any_stores: Stores) -> None:
    concert = await make_queue(any_stores)
    assert await claim(any_stores, concert) == []
    assert await acknowledge(any_stores, concert) == 0
    assert await any_stores.script_client.run_command("EXISTS", stream(concert), stream(concert, "deadletters")) == 0


async def test_consumers_share_events_and_acknowledge_each_once(any_stores: Stores) -> None:
    everyone = [f"person{number}" for number in range(20)]
    concert = await make_queue(any_stores, *everyone)
    claimed = await asyncio.gather(*[claim(any_stores, concert, limit=3) for _ in range(10)])
    assert sorted(people([event for events in claimed for event in events])) == sorted(everyone)
    counts = await asyncio.gather(*[acknowledge(any_stores, concert, *events) for events in [*claimed, *claimed]])
    assert sum(counts) == 20


async def test_an_unacknowledged_event_is_delivered_again_after_its_lease(any_stores: Stores) -> None:
    concert = await make_queue(any_stores, "ann", "ben")
    ann, ben = await claim(any_stores, concert)
    await acknowledge(any_stores, concert, ben)
    await idle(any_stores, concert, ann, LEASE_MS // 2)
    assert await claim(any_stores, concert) == []
    await idle(any_stores, concert, ann, LEASE_MS)
    (again,) = await claim(any_stores, concert)
    assert (again.id, again.fields, again.tries) == (ann.id, ann.fields, 2)
    # If a consumer reports a failure after its lease has expired, nothing changes.
    assert await any_stores.events.record_failure(concert.id, GROUP, ann, "too late") == "NOT_PENDING"
    assert await claim(any_stores, concert) == []


async def test_a_failing_event_is_retried_and_then_dead_lettered(any_stores: Stores) -> None:
    concert = await make_queue(any_stores, "ann", "ben", "cyd")
    ann, failing, cyd = await claim(any_stores, concert)
    assert await acknowledge(any_stores, concert, ann, cyd) == 2
    for tries, pause_ms in enumerate(PAUSES_MS, 1):
        assert failing.tries == tries
        assert await any_stores.events.record_failure(concert.id, GROUP, failing, "no such entry") == "RETRY_LATER"
        # At least a second of the pause remains, which is enough even on a busy machine.
        await idle(any_stores, concert, failing, pause_ms // 2 if pause_ms > 1_000 else 0)
        assert await claim(any_stores, concert) == []
        await idle(any_stores, concert, failing, pause_ms)
        (failing,) = await claim(any_stores, concert)
    assert await letters(any_stores, concert) == []
    error = "no such entry" * 100
    assert await any_stores.events.record_failure(concert.id, GROUP, failing, error) == "DEAD_LETTERED"
    assert await any_stores.events.record_failure(concert.id, GROUP, failing, error) == "NOT_PENDING"
    (letter,) = await letters(any_stores, concert)
    assert (letter.concert_id, letter.group, letter.event) == (concert.id, GROUP, failing)
    assert letter.error == error[: events_module.MAX_ERROR_CHARS]
    assert failing.at <= letter.failed_at <= datetime.now(UTC)
    assert (await claim(any_stores, concert), await length(any_stores, concert)) == ([], 0)


async def test_returning_an_event_uses_up_no_try(any_stores: Stores) -> None:
    concert = await make_queue(any_stores, "ann", "ben")
    for _ in range(events_module.MAX_TRIES + 2):
        claimed = await claim(any_stores, concert)
        assert [(event.fields["person"], event.tries) for event in claimed] == [("ann", 1), ("ben", 1)]
        await any_stores.events.return_events(concert.id, GROUP, claimed)
        for event in claimed:
            await idle(any_stores, concert, event, 1_000)
    assert (await letters(any_stores, concert), await length(any_stores, concert)) == ([], 2)


async def test_an_event_that_crashes_its_handlers_is_dead_lettered(stores: Stores) -> None:
    concert = await make_queue(stores, "ann", "ben")
    ann, ben = await claim(stores, concert)
    await acknowledge(stores, concert, ben)
    for tries in range(1, events_module.MAX_TRIES):
        assert ann.tries == tries
        await idle(stores, concert, ann, 60_000)
        (ann,) = await claim(stores, concert)
    await idle(stores, concert, ann, 60_000)
    assert await claim(stores, concert) == []
    (letter,) = await letters(stores, concert)
    assert (letter.event, letter.error) == (ann, "no handler acknowledged it")
    assert await length(stores, concert) == 0


async def test_events_stay_until_every_group_has_acknowledged_them(any_stores: Stores) -> None:
    concert = await make_queue(any_stores, "ann", "ben", "cyd", "dan")
    mine = await claim(any_stores, concert)
    others = await claim(any_stores, concert, limit=2, group="others")
    await acknowledge(any_stores, concert, *mine)
    assert await length(any_stores, concert) == 4
    await acknowledge(any_stores, concert, others[1], group="others")
    assert await length(any_stores, concert) == 4
    await acknowledge(any_stores, concert, others[0], group="others")
    assert await length(any_stores, concert) == 2
    rest = await claim(any_stores, concert, group="others")
    assert people(rest) == ["cyd", "dan"]
    await acknowledge(any_stores, concert, *rest, group="others")
    assert await length(any_stores, concert) == 0
    await queues.join_queue(context(any_stores, "eve"), concert.id)
    assert (
        people(await claim(any_stores, concert)) == people(await claim(any_stores, concert, group="others")) == ["eve"]
    )


async def test_events_trimmed_from_the_stream_are_not_pending(any_stores: Stores) -> None:
    """Trimming removes the oldest events, even those delivered to a consumer."""
    concert = await make_queue(any_stores, "ann", "ben", "cyd")
    ann, ben = await claim(any_stores, concert, limit=2)
    for event in (ann, ben):
        await idle(any_stores, concert, event, LEASE_MS)
    await any_stores.script_client.run_command("XTRIM", stream(concert), "MAXLEN", "0")
    await any_stores.script_client.run_command("XADD", stream(concert), "*", "event", "joined", "person", "dan")
    assert people(await claim(any_stores, concert)) == ["dan"]
    assert await any_stores.events.record_failure(concert.id, GROUP, ann, "no such entry") == "NOT_PENDING"
    pending = await any_stores.script_client.run_command("XPENDING", stream(concert), GROUP)
    assert pending[0] == 1


async def test_the_consumer_group_is_recreated_after_a_wipe(any_stores: Stores) -> None:
    concert = await make_queue(any_stores, "ann")
    (ann,) = await claim(any_stores, concert)
    await any_stores.script_client.run_command("FLUSHALL")
    assert await claim(any_stores, concert) == []
    await any_stores.recovery.ensure(concert.id)
    await queues.join_queue(context(any_stores, "ben"), concert.id)
    assert await any_stores.events.record_failure(concert.id, GROUP, ann, "late") == "NOT_PENDING"
    await any_stores.events.return_events(concert.id, GROUP, [ann])
    (ben,) = await claim(any_stores, concert)
    assert (ben.fields["person"], await acknowledge(any_stores, concert, ann, ben)) == ("ben", 1)


async def test_dead_letters_are_read_in_pages_and_dropped_once(
    any_stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "DEAD_LETTERS_PER_READ", 2)
    everyone = ["ann", "ben", "cyd"]
    concert = await make_queue(any_stores, *everyone)
    for event in await claim(any_stores, concert):
        await fail_all_tries(any_stores, concert, event)
    found = await letters(any_stores, concert)
    assert [letter.event.fields["person"] for letter in found] == everyone
    assert await any_stores.events.drop_dead_letters(concert.id, [found[0].id, found[2].id]) == 2
    assert await any_stores.events.drop_dead_letters(concert.id, [found[0].id]) == 0
    assert await letters(any_stores, concert) == [found[1]]


async def test_an_event_stays_in_the_stream_while_dead_letters_are_full(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "MAX_DEAD_LETTERS", 1)
    concert = await make_queue(stores, "ann", "ben")
    ann, ben = await claim(stores, concert)
    await fail_all_tries(stores, concert, ann)
    ben = await fail_all_tries(stores, concert, ben)
    assert [letter.event.id for letter in await letters(stores, concert)] == [ann.id]
    assert await length(stores, concert) == 1
    await idle(stores, concert, ben, 60_000)
    (again,) = await claim(stores, concert)
    assert (again.id, again.tries) == (ben.id, events_module.MAX_TRIES + 1)
    await stores.events.drop_dead_letters(concert.id, [(await letters(stores, concert))[0].id])
    assert await stores.events.record_failure(concert.id, GROUP, again, "still no such entry") == "DEAD_LETTERED"
    assert [letter.event.id for letter in await letters(stores, concert)] == [ben.id]


async def test_pending_events_are_examined_page_by_page(stores: Stores) -> None:
    """A due event is found even behind many that are not due yet."""
    concert = await make_queue(stores, *[f"person{number}" for number in range(5)])
    claimed = await claim(stores, concert)
    await idle(stores, concert, claimed[4], LEASE_MS)
    seen, after = [], "-"
    for _ in range(3):
        found = await stores.events.claim(concert.id, GROUP, limit=2, after=after)
        after = found.after
        seen.append([event.id for event in found.events])
    assert (seen, after) == ([[], [], [claimed[4].id]], "-")
