"""What a concert's stream of events tells of every place, and whether it could have happened like that."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.ids import ConcertId, PersonId
from domain.queue_events import QueueEvent, QueueEventKind
from domain.queues import NEXT_ENTRY_STATE, EntryEnd, EntryState
from storage.connect import Stores
from storage.hot.events import StoredEvent
from storage.keys import KINDS, concert_keys
from workers.history import parse_queue_event

PAGE = 10_000

_STATES = {
    QueueEventKind.JOINED: EntryState.WAITING,
    QueueEventKind.CALLED: EntryState.READY,
    QueueEventKind.CLAIMED: EntryState.ADMITTED,
    QueueEventKind.EXPIRED: EntryState.EXPIRED,
    QueueEventKind.LEFT: EntryState.LEFT,
    QueueEventKind.COMPLETED: EntryState.COMPLETED,
}


@dataclass
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


async def read_events(stores: Stores, concert_id: ConcertId) -> list[QueueEvent]:
    """Everything that is still in the stream, oldest first."""
    name, after, found = concert_keys(concert_id)[KINDS.index("events")], "-", list[QueueEvent]()
    while True:
        page = await stores.script_client.run_command("XRANGE", name, after, "+", "COUNT", str(PAGE))
        for id_, words in page:
            fields = dict(zip([w.decode() for w in words[::2]], [w.decode() for w in words[1::2]], strict=True))
            found.append(parse_queue_event(concert_id, StoredEvent(id_.decode(), 1, fields)))
        if len(page) < PAGE:
            return found
        after = f"({page[-1][0].decode()}"


def build_histories(told: Sequence[QueueEvent]) -> tuple[dict[int, EntryHistory], list[str]]:
    """Each place's way through the line, and what is wrong with them."""
    places: dict[int, EntryHistory] = {}
    wrong: list[str] = []
    round_ = 1
    for event in told:
        if event.kind is QueueEventKind.RESET:
            round_ = event.round
        if event.kind is QueueEventKind.OVER:
            # Only calls and passes can still end; a reset begins the next round.
            round_ = -event.round
        if event.kind not in _STATES or event.entry_id is None:
            continue
        state, place = _STATES[event.kind], places.get(event.entry_id)
        if event.kind is QueueEventKind.JOINED:
            if place is not None or event.round != round_:
                wrong.append(
                    f"place {event.entry_id} was given in round {event.round}, while {round_} ran, after {place}"
                )
            places[event.entry_id] = EntryHistory(event.person_id, event.round, [state])
        elif place is None or place.person != event.person_id:
            wrong.append(f"{event.person_id} was {event.kind} on place {event.entry_id}, which was given to {place}")
        else:
            is_over = place.round != round_ and not place.is_called
            if is_over or state not in NEXT_ENTRY_STATE[place.states[-1]]:
                wrong.append(f"place {event.entry_id} became {state} in round {round_}, after {place}")
            place.states.append(state)
            place.end = event.end_reason
    return places, wrong
