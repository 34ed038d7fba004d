"""A state machine that compares each entry in a waiting room on real stores with a model."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from hypothesis.stateful import invariant

from domain.errors import OnsaleError
from domain.ids import PersonId
from domain.queues import EntryEnd, EntryState, QueueingMethod, RoomSettings
from domain.room_changes import RoomSettingsPatch
from proofs.waiting_room.event_histories import build_histories, read_events
from resolvers import queues, rooms
from storage.hot.queue_state import QueueState
from storage.hot.queues import EntryRecord
from tests.support.concurrency import gather_results
from tests.support.hot_keys import make_due
from tests.support.model_runs import StoreMachine
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
"""The timeouts are so long that no entry expires during a test unless the test makes it expire."""


class ModelMachine(StoreMachine):
    def __init__(self) -> None:
        super().__init__()
        self.concert = self.do(on_sale(self.stores, 1_000, limit_per_person=1_000, room=ROOM))
        self.model = QueueModel(cap=ROOM.total_active_users, per_minute=ROOM.new_users_per_minute)
        self.processes = {"a": "a1", "b": "b1"}
        self.known_processes: set[str] = set()
        self.sequence = 0
        self.epoch = 1
        self.people_by_entry: dict[int, str] = {}

    def do(self, work: Awaitable[R]) -> R:
        return self.runner.run(_awaited(work))

    def refusal(self, work: Awaitable[object]) -> OnsaleError | None:
        (answer,) = self.do(gather_results(work))
        if isinstance(answer, BaseException) and not isinstance(answer, OnsaleError):
            raise answer
        return answer if isinstance(answer, OnsaleError) else None

    def make_due(self, kind: str, *members: str) -> None:
        self.do(make_due(self.stores, self.concert, kind, *members))

    def configure(self, **given: Any) -> OnsaleError | None:
        change = RoomSettingsPatch(tuple(given.items()))
        refused = self.refusal(rooms.configure(organizer(self.stores), self.concert.id, change, expected_version=None))
        self.read_settings()
        return refused

    def read_settings(self) -> None:
        concert = self.do(self.stores.concerts.get(self.concert.id))
        assert concert is not None
        self.concert = concert

    @invariant()
    def every_entry_matches_the_model(self) -> None:
        state, records = self.do(self.read_all())
        if self.model.method is QueueingMethod.RANDOM:
            self.adopt(records)
        model, queue = self.model, state.positions
        assert (state.status, state.round, state.epoch) == (model.status, model.round, self.epoch)
        assert (queue.waiting_count, queue.tail) == (len(model.waiting), model.tail)
        if not model.has_slots_to_free:
            assert state.slots_taken == len(model.with_a_slot())
        assert set(records) == set(model.entries)
        for who, record in records.items():
            self.check(who, record, state)
        shown = self.do(
            gather_results(*[queues.get_viewer_entry(context(self.stores, who), self.concert.id) for who in PEOPLE])
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
        assert self.people_by_entry.setdefault(record.entry_id, who) == who
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
        """Record in the model which people the store called at random.

        The model itself knows only how many were called.
        """
        model, called = self.model, 0
        for who in list(model.waiting):
            record = records[PersonId(who)]
            if record.state is EntryState.EXPIRED and record.end_reason is EntryEnd.ABSENT:
                assert model.is_absent(who), who
                model.end(who, EntryEnd.ABSENT)
            elif record.state is EntryState.READY:
                assert not model.is_absent(who), who
                model.mark_called(who)
                called += 1
        assert called == model.random_calls
        model.random_calls = 0

    async def read_all(self) -> tuple[QueueState, dict[PersonId, EntryRecord]]:
        people = [PersonId(who) for who in PEOPLE]
        return await asyncio.gather(
            self.stores.queues.read_queue(self.concert.id), self.stores.queues.read_entries(self.concert.id, people)
        )

    def teardown(self) -> None:
        _, wrong = build_histories(self.do(read_events(self.stores, self.concert.id)))
        assert wrong == []


async def _awaited(work: Awaitable[R]) -> R:
    return await work
