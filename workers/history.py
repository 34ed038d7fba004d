"""Archives each queue event once.

After the sale, the archive shows when each person joined, was called and left.
"""

from collections.abc import Mapping, Sequence

from domain.ids import ConcertId, EntryId, PersonId
from domain.queue_events import QueueEvent, QueueEventKind
from domain.queues import EntryEnd
from storage.connect import Stores
from storage.hot.events import StoredEvent
from telemetry import traces
from workers.concert_worker import RunResult, run_for_all
from workers.stream_consumer import StreamConsumer


class HistoryHandler:
    group = "history"

    async def handle(self, stores: Stores, concert_id: ConcertId, events: Sequence[StoredEvent]) -> dict[str, str]:
        read: list[QueueEvent] = []
        failed: dict[str, str] = {}
        for event in events:
            try:
                read.append(parse_queue_event(concert_id, event))
            except (KeyError, ValueError) as error:
                failed[event.id] = f"not a queue event: {error!r}"
        with traces.continue_traces("archive queue event", [event.fields.get("traceparent") for event in events]):
            return failed | await stores.queue_history.add(read)


class HistoryWorker:
    name = "history"
    active_s = 0.5
    """Interval for active concerts.

    With MAX_REPEATS batches of 500 events per run, it is short enough for 5,000 events a second per
    concert.
    """
    idle_s = 5.0
    """Interval for idle concerts. No request waits for the history."""

    def __init__(self) -> None:
        self._consumer = StreamConsumer(HistoryHandler())

    async def run_once(self, stores: Stores) -> int:
        return await run_for_all(self, stores)

    async def run_for(self, stores: Stores, concert_id: ConcertId) -> RunResult:
        return await self._consumer.run_for(stores, concert_id)


def parse_queue_event(concert_id: ConcertId, event: StoredEvent) -> QueueEvent:
    """Return the queue event that a stored event contains.

    Raises KeyError or ValueError if the event was not written by one of our scripts.
    """
    fields = event.fields
    return QueueEvent(
        concert_id=concert_id,
        id=event.id,
        kind=QueueEventKind(fields["event"]),
        at=event.at,
        person_id=PersonId(fields["person"]) if fields["person"] else None,
        entry_id=None if (number := _number(fields, "place")) is None else EntryId(number),
        round=int(fields["round"]),
        count=_number(fields, "count") or 1,
        end_reason=EntryEnd(fields["end"]) if "end" in fields else None,
    )


def _number(fields: Mapping[str, str], name: str) -> int | None:
    return int(fields[name]) if fields.get(name) else None
