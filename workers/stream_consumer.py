"""Claims, handles and acknowledges concert events on behalf of a consumer group.

An event that fails does not delay the others. A consumer may crash after handling an event and
before acknowledging it, so handlers must be idempotent.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from storage import scripts
from storage.connect import Stores
from storage.hot.events import FROM_THE_FIRST, StoredEvent
from storage.scripts import ScriptReplyError
from workers.concert_worker import MAX_REPEATS, RunResult

log = logging.getLogger(__name__)

BATCH = 500


class EventHandler(Protocol):
    group: str

    async def handle(self, stores: Stores, concert_id: ConcertId, events: Sequence[StoredEvent]) -> dict[str, str]:
        """Handle the events, and return the reason for each failure by event id.

        Raises TemporarilyUnavailable for a failure that the events did not cause.
        """


class StreamConsumer:
    def __init__(self, handler: EventHandler) -> None:
        self._handler = handler
        self._examined_until: dict[ConcertId, str] = {}

    async def run_for(self, stores: Stores, concert_id: ConcertId) -> RunResult:
        handled = 0
        for _ in range(MAX_REPEATS):
            events = await self._claim(stores, concert_id)
            handled += await self._consume(stores, concert_id, events)
            if len(events) < BATCH:
                return RunResult(handled, is_active=bool(events) or concert_id in self._examined_until)
        return RunResult(handled, is_active=True)

    async def _claim(self, stores: Stores, concert_id: ConcertId) -> Sequence[StoredEvent]:
        after = self._examined_until.pop(concert_id, FROM_THE_FIRST)
        claimed = await stores.events.claim(concert_id, self._handler.group, limit=BATCH, after=after)
        if claimed.after != FROM_THE_FIRST:
            self._examined_until[concert_id] = claimed.after
        return claimed.events

    async def _consume(self, stores: Stores, concert_id: ConcertId, events: Sequence[StoredEvent]) -> int:
        if not events:
            return 0
        try:
            failed = await find_failures(self._handler, stores, concert_id, events)
        except TemporarilyUnavailable:
            await stores.events.return_events(concert_id, self._handler.group, events)
            raise
        done = [event.id for event in events if event.id not in failed]
        if done:
            await stores.events.acknowledge(concert_id, self._handler.group, done)
        faulty = [event for event in events if event.id in failed]
        await asyncio.gather(*[self._fail(stores, concert_id, event, failed[event.id]) for event in faulty])
        return len(done)

    async def _fail(self, stores: Stores, concert_id: ConcertId, event: StoredEvent, error: str) -> None:
        outcome = await stores.events.record_failure(concert_id, self._handler.group, event, error)
        match outcome:
            case "RETRY_LATER" | "NOT_PENDING":
                return
            case "DEAD_LETTERED":
                what = "became a dead letter"
            case "FULL":
                what = "stays pending, because the dead letters are full,"
            case _:
                raise ScriptReplyError(scripts.FAIL_EVENT.name, outcome)
        log.error("event %s of concert %s %s after %d tries: %s", event.id, concert_id, what, event.tries, error)


async def find_failures(
    handler: EventHandler, stores: Stores, concert_id: ConcertId, events: Sequence[StoredEvent]
) -> dict[str, str]:
    """Return the failures of `handle`, even if it raises.

    If it raises, each event is handled separately to find those that cause the failure.
    """
    try:
        return await handler.handle(stores, concert_id, events)
    except TemporarilyUnavailable:
        raise
    except Exception as error:
        if len(events) == 1:
            return {events[0].id: f"{type(error).__name__}: {error}"}
    found: dict[str, str] = {}
    for event in events:
        found |= await find_failures(handler, stores, concert_id, [event])
    return found
