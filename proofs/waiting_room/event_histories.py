"""Builds the history of every queue entry from a concert's events, and checks it."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.ids import ConcertId, PersonId
from domain.queue_events import QueueEvent, QueueEventKind
from domain.queues import NEXT_ENTRY_STATE, EntryEnd, EntryState
from storage.connect import Stores
from storage.hot.events import StoredEvent
from storage.keys import KINDS, concert_keys
from workers.history import parse_queue_event

PAGE_SIZE = 10_000
WINDOW_MS = 60_000

_STATES = {
    QueueEventKind.JOINED: EntryState.WAITING,
    QueueEventKind.CALLED: EntryState.READY,
    QueueEventKind.CLAIMED: EntryState.ADMITTED,
    QueueEventKind.EXPIRED: EntryState.EXPIRED,
    QueueEventKind.LEFT: EntryState.LEFT,
    QueueEventKind.COMPLETED: EntryState.COMPLETED,
}


@dataclass(slots=True)
class EntryHistory:
    person: PersonId | None
    round: int
    states: list[EntryState] = field(default_factory=list)
    end: EntryEnd | None = None

    @property
    def is_called(self) -> bool:
        return EntryState.READY in self.states

    @property
    def is_ended(self) -> bool:
        return not NEXT_ENTRY_STATE[self.states[-1]]


@dataclass(slots=True)
class Calls:
    count: int = 0
    busiest_minute: int = 0
    violations: list[str] = field(default_factory=list)


async def read_events(stores: Stores, concert_id: ConcertId) -> list[QueueEvent]:
    """Return all events that the stream still contains, oldest first."""
    key, after, found = concert_keys(concert_id)[KINDS.index("events")], "-", list[QueueEvent]()
    while True:
        page = await stores.script_client.run_command("XRANGE", key, after, "+", "COUNT", str(PAGE_SIZE))
        for id_, flat in page:
            texts = [text.decode() for text in flat]
            fields = dict(zip(texts[::2], texts[1::2], strict=True))
            found.append(parse_queue_event(concert_id, StoredEvent(id_.decode(), 1, fields)))
        if len(page) < PAGE_SIZE:
            return found
        after = f"({page[-1][0].decode()}"


def build_histories(events: Sequence[QueueEvent]) -> tuple[dict[int, EntryHistory], list[str]]:
    """Return the history of each entry, by entry id, and any violations."""
    histories: dict[int, EntryHistory] = {}
    violations: list[str] = []
    round_ = 1
    for event in events:
        if event.kind is QueueEventKind.RESET:
            round_ = event.round
        if event.kind is QueueEventKind.OVER:
            # From now on, only entries that were already called may change. A reset begins the next
            # round.
            round_ = -event.round
        if event.kind not in _STATES or event.entry_id is None:
            continue
        state, history = _STATES[event.kind], histories.get(event.entry_id)
        if event.kind is QueueEventKind.JOINED:
            if history is not None or event.round != round_:
                violations.append(
                    f"entry {event.entry_id} joined round {event.round} in round {round_}; its history is {history}"
                )
            histories[event.entry_id] = EntryHistory(event.person_id, event.round, [state])
        elif history is None or history.person != event.person_id:
            violations.append(f"entry {event.entry_id} of {event.person_id} was {event.kind}; its history is {history}")
        else:
            was_reset = history.round != round_ and not history.is_called
            if was_reset or state not in NEXT_ENTRY_STATE[history.states[-1]]:
                violations.append(f"entry {event.entry_id} became {state} in round {round_}; its history is {history}")
            history.states.append(state)
            history.end = event.end_reason
    return histories, violations


def judge_calls(events: Sequence[QueueEvent], *, per_minute: int, until_ms: int) -> Calls:
    """Check that the calls of each round are in order and, until `until_ms`, within the cap."""
    calls = Calls()
    last: dict[int, int] = {}
    window: deque[int] = deque()
    for event in events:
        if event.kind is not QueueEventKind.CALLED or event.entry_id is None:
            continue
        calls.count += 1
        if event.entry_id < last.get(event.round, 0):
            calls.violations.append(f"entry {event.entry_id} was called after {last[event.round]}")
        last[event.round] = event.entry_id
        at_ms = int(event.id.partition("-")[0])
        window.append(at_ms)
        while window[0] <= at_ms - WINDOW_MS:
            window.popleft()
        if at_ms <= until_ms:
            calls.busiest_minute = max(calls.busiest_minute, len(window))
    if calls.busiest_minute > per_minute:
        calls.violations.append(f"{calls.busiest_minute} people were called in 60 s where {per_minute} were allowed")
    return calls
