"""A room on real stores beside its model, for state machines: both are asked, and must say the same of everybody."""

import asyncio
from collections.abc import Awaitable
from typing import Any, ClassVar, TypeVar

from hypothesis.stateful import RuleBasedStateMachine, invariant

from domain.errors import OnsaleError
from domain.ids import PersonId
from domain.queues import EntryEnd, EntryState, QueueingMethod, RoomSettings
from domain.room_changes import RoomSettingsPatch
from resolvers import queues, rooms
from storage.connect import Stores
from storage.hot.queue_state import QueueState
from storage.hot.queues import EntryRecord
from storage.keys import KINDS, concert_keys
from tests.support.event_histories import build_histories, read_events
from tests.support.queue_model import QueueModel
from tests.support.sale import context, on_sale, organizer

R = TypeVar("R")
PEOPLE = tuple(f"p{number}" for number in range(12))
LONG_MS = 7_200_000
ROOM = RoomSettings(
    suspended=False,
    total_active_users=3,
    new_users_per_minute=1_000,
    heartbeat_timeout_ms=LONG_MS,
    disconnect_grace_ms=LONG_MS,
    pass_claim_timeout_ms=LONG_MS,
    session_duration_ms=LONG_MS,
)
"""Nothing runs out by itself while a test runs."""


class ModelMachine(RuleBasedStateMachine):
    runner: ClassVar[asyncio.Runner]
    stores: ClassVar[Stores]

    def __init__(self) -> None:
        super().__init__()
        self.concert = self.do(on_sale(self.stores, 1_000, limit_per_person=1_000, room=ROOM))
        self.model = QueueModel(cap=ROOM.total_active_users, a_minute=ROOM.new_users_per_minute)
        self.processes = {"a": "a1", "b": "b1"}
        self.said: set[str] = set()
        self.news = 0
        self.epoch = 1
        self.places: dict[int, str] = {}

    def do(self, work: Awaitable[R]) -> R:
        return self.runner.run(_awaited(work))

    def refusal(self, work: Awaitable[object]) -> OnsaleError | None:
        (answer,) = self.do(gathered(work))
        if isinstance(answer, BaseException) and not isinstance(answer, OnsaleError):
            raise answer
        return answer if isinstance(answer, OnsaleError) else None

    def key(self, kind: str) -> str:
        return concert_keys(self.concert.id)[KINDS.index(kind)]

    def configure(self, **given: Any) -> OnsaleError | None:
        change = RoomSettingsPatch(tuple(given.items()))
        asked = rooms.configure(organizer(self.stores), self.concert.id, change, expected_version=None)
        refused = self.refusal(asked)
        self.read_settings()
        return refused

    def read_settings(self) -> None:
        concert = self.do(self.stores.concerts.get(self.concert.id))
        assert concert is not None
        self.concert = concert

    @invariant()
    def every_entry_matches_the_model(self) -> None:
        state, records = self.do(self.look())
        if self.model.method is QueueingMethod.RANDOM:
            self.adopt(records)
        model, line = self.model, state.positions
        assert (state.status, state.round, state.epoch) == (model.status, model.round, self.epoch)
        assert (line.waiting_count, line.tail) == (len(model.waiting), model.tail)
        if not model.is_sale_over:
            # A worker frees the slots of a sale that is over.
            assert state.slots_taken == len(model.with_a_slot())
        assert set(records) == set(model.entries)
        for who, record in records.items():
            self.check(who, record, state)
        shown = self.do(
            gathered(*[queues.get_viewer_entry(context(self.stores, who), self.concert.id) for who in PEOPLE])
        )
        for name, entry in zip(PEOPLE, shown, strict=True):
            if name not in model.entries:
                assert entry is None
            else:
                assert (entry.state, entry.position) == (records[PersonId(name)].state, self.position(name)), name

    def check(self, who: str, record: EntryRecord, state: QueueState) -> None:
        model, entry = self.model, self.model.entries[who]
        is_waiting = who in model.waiting
        expected = entry.state if not is_waiting else EntryState.WAITING if model.is_open else EntryState.PREQUEUED
        assert (record.state, record.end_reason, record.number) == (expected, entry.end, model.number(who)), who
        assert self.places.setdefault(record.entry_id, who) == who
        if is_waiting:
            assert (record.deadline is None) == model.is_present(who), who
        if is_waiting and record.number is not None:
            assert state.positions.position(record.number) == model.waiting.index(who) + 1, who
            assert state.positions.is_waiting(record.number)

    def position(self, who: str, *, is_shown: bool = True) -> int | None:
        if who not in self.model.waiting:
            return 0
        is_random = is_shown and self.model.method is QueueingMethod.RANDOM
        return None if is_random or self.model.number(who) is None else self.model.waiting.index(who) + 1

    def adopt(self, records: dict[PersonId, EntryRecord]) -> None:
        """Where lots are drawn, how many were called is certain, and whom the draw took is taken from the store."""
        model, called = self.model, 0
        for who in list(model.waiting):
            record = records[PersonId(who)]
            if record.state is EntryState.EXPIRED and record.end_reason is EntryEnd.ABSENT:
                assert model.is_silent(who), who
                model.end(who, EntryEnd.ABSENT)
            elif record.state is EntryState.READY:
                assert not model.is_silent(who), who
                model.mark_called(who)
                called += 1
        assert called == model.drawn_calls
        model.drawn_calls = 0

    async def look(self) -> tuple[QueueState, dict[PersonId, EntryRecord]]:
        everybody = [PersonId(who) for who in PEOPLE]
        return await asyncio.gather(
            self.stores.queues.read_queue(self.concert.id), self.stores.queues.read_entries(self.concert.id, everybody)
        )

    def teardown(self) -> None:
        _, wrong = build_histories(self.do(read_events(self.stores, self.concert.id)))
        assert wrong == []


async def gathered(*asking: Awaitable[Any]) -> list[Any]:
    return await asyncio.gather(*asking, return_exceptions=True)


async def _awaited(work: Awaitable[R]) -> R:
    return await work
