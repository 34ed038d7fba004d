"""The real scripts of the line against a list: positions exact for everybody under whatever happens to the room."""

import asyncio
from collections.abc import Coroutine
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from domain.concerts import ConcertChange
from domain.errors import NotAdmitted, NotInQueue
from domain.ids import PersonId
from domain.queues import EntryState, QueueEntry, RoomSettings
from resolvers import concerts, queues, rooms
from storage.connect import Stores
from storage.keys import KINDS, concert_keys
from tests.support.sale import context, on_sale, opened, organizer
from workers.admission import AdmissionWorker
from workers.expiry import ExpiryWorker

R = TypeVar("R")
PEOPLE = tuple(f"p{number}" for number in range(12))
people = st.sampled_from(PEOPLE)
JOINS_IN_A_TEST = 1_000_000


class LineMachine(RuleBasedStateMachine):
    """The model: who waits in which order, who has a slot, how many were ever called."""

    runner: ClassVar[asyncio.Runner]
    stores: ClassVar[Stores]

    def __init__(self) -> None:
        super().__init__()
        room = RoomSettings(suspended=False, total_active_users=3, new_users_per_minute=1_000)
        self.concert = self.do(on_sale(self.stores, 100, room=room))
        self.waiting: list[str] = []
        self.ready: set[str] = set()
        self.admitted: set[str] = set()
        self.numbers: dict[str, int] = {}
        self.tail = 0
        self.slots = 3

    def do(self, work: Coroutine[Any, Any, R]) -> R:
        return self.runner.run(work)

    def answer(self, ask: Coroutine[Any, Any, QueueEntry]) -> Any:
        (answer,) = self.do(_gathered(ask))
        return answer

    def key(self, kind: str) -> str:
        return concert_keys(self.concert.id)[KINDS.index(kind)]

    @rule(who=people, twice=st.booleans())
    def join(self, who: str, twice: bool) -> None:
        for _ in range(1 + twice):
            entry = self.answer(queues.join_queue(context(self.stores, who), self.concert.id))
            assert isinstance(entry, QueueEntry), entry
        if who not in (*self.waiting, *self.ready, *self.admitted):
            self.tail += 1
            self.numbers[who] = self.tail
            self.waiting.append(who)
        assert entry.number == self.numbers[who]

    @rule(who=people)
    def leave(self, who: str) -> None:
        answer = self.answer(queues.leave_queue(context(self.stores, who), self.concert.id))
        assert isinstance(answer, QueueEntry if who in self.numbers else NotInQueue)
        had_slot = who in self.ready | self.admitted
        self.forget(who)
        if had_slot:
            self.refill()

    @rule(who=people)
    def claim(self, who: str) -> None:
        answer = self.answer(queues.claim_pass(context(self.stores, who), self.concert.id))
        if who in self.ready | self.admitted:
            assert answer.state is EntryState.ADMITTED
            self.ready.discard(who)
            self.admitted.add(who)
        else:
            assert isinstance(answer, NotAdmitted if who in self.waiting else NotInQueue)

    @rule(who=people, here=st.booleans(), news=st.integers(1, 50))
    def attach(self, who: str, here: bool, news: int) -> None:
        said = [(PersonId(who), news if here else -news)]
        self.do(self.stores.queues.attach(self.concert.id, "process", said))

    @rule(who=people)
    def fall_silent(self, who: str) -> None:
        """The heartbeat of somebody without a socket is over; nothing happens to somebody with one."""
        self.do(self.stores.link.run("ZADD", self.key("alive"), "XX", "1", who))
        is_due = who in self.waiting and self.do(self.stores.link.run("ZSCORE", self.key("alive"), who)) is not None
        if is_due:
            self.forget(who)
        self.turn()

    @rule(who=people)
    def let_it_lapse(self, who: str) -> None:
        """A call nobody answered, or a session that is over."""
        self.do(self.stores.link.run("ZADD", self.key("slots"), "XX", "1", who))
        self.ready.discard(who)
        self.admitted.discard(who)
        self.turn()

    @rule()
    def turn(self) -> None:
        self.do(ExpiryWorker().run_once(self.stores))
        self.do(self.stores.hot.admit(self.concert.id, bound=1_000))
        self.refill()

    def refill(self) -> None:
        """A slot that is freed goes to the next person in the same step."""
        while self.waiting and len(self.ready) + len(self.admitted) < self.slots:
            self.ready.add(self.waiting.pop(0))

    @rule()
    def four_workers_at_once(self) -> None:
        self.do(ExpiryWorker().run_once(self.stores))
        self.do(_gathered(*[AdmissionWorker().run_once(self.stores) for _ in range(4)]))
        self.turn()

    @rule(slots=st.integers(1, 6))
    def change_the_cap(self, slots: int) -> None:
        room = RoomSettings(suspended=False, total_active_users=slots, new_users_per_minute=1_000)
        update = concerts.update_concert(
            organizer(self.stores), self.concert.id, ConcertChange(room=room), expected_version=None
        )
        self.do(update)
        self.slots = slots

    def forget(self, who: str) -> None:
        if who in self.waiting:
            self.waiting.remove(who)
        self.ready.discard(who)
        self.admitted.discard(who)

    @invariant()
    def everybody_stands_where_the_model_says(self) -> None:
        room = self.do(rooms.waiting_room(context(self.stores), self.concert.id))
        assert room is not None
        assert (room.waiting_count, room.slots_taken) == (len(self.waiting), len(self.ready) + len(self.admitted))
        shown = self.do(
            _gathered(*[queues.entry_of_viewer(context(self.stores, who), self.concert.id) for who in PEOPLE])
        )
        for who, entry in zip(PEOPLE, shown, strict=True):
            state = entry.state if entry is not None else None
            if who in self.waiting:
                assert (state, entry.position) == (EntryState.WAITING, self.waiting.index(who) + 1)
            elif who in self.ready | self.admitted:
                assert state is (EntryState.READY if who in self.ready else EntryState.ADMITTED)
            else:
                assert state in (None, EntryState.LEFT, EntryState.EXPIRED)


async def _gathered(*asking: Coroutine[Any, Any, Any]) -> list[Any]:
    return await asyncio.gather(*asking, return_exceptions=True)


@pytest.mark.timeout(300)
def test_the_line_stands_like_its_model(
    valkey_url: str, mongo_url: str, mongo_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "JOINS_A_PERSON", JOINS_IN_A_TEST)
    with asyncio.Runner() as runner:
        opening = opened(valkey_url, mongo_url, mongo_database)
        LineMachine.runner, LineMachine.stores = runner, runner.run(opening.__aenter__())
        try:
            run_state_machine_as_test(
                LineMachine,
                settings=settings(
                    max_examples=25,
                    stateful_step_count=40,
                    deadline=None,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
                ),
            )
        finally:
            runner.run(opening.__aexit__(None, None, None))
