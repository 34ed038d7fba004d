"""The real queue scripts and a model agree on every state, number and position."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from domain.concerts import ConcertChange
from domain.errors import NotAdmitted, NotInQueue, QueueOpened, RoomNotOpen, TemporarilyUnavailable
from domain.ids import PersonId
from domain.queues import EntryEnd, EntryState, QueueingMethod, RoomStatus
from domain.room_changes import RoomSettingsPatch
from resolvers import concerts, rooms
from storage.hot import queues as queue_store
from storage.hot.queues import LeaseExpired
from tests.support.concurrency import gather_results
from tests.support.hot_keys import advance_clock, concert_key, end_grace, replace_incarnation
from tests.support.model_runs import MODEL_TIMEOUT, run_machine
from tests.support.queue_machine import LONG_MS, PEOPLE, ModelMachine
from tests.support.queue_model import drawn_ranks
from tests.support.queue_steps import hold_with_pass
from tests.support.sale import buy, key, opened, organizer
from workers.admission import AdmissionWorker
from workers.concert_worker import RunResult

people = st.sampled_from(PEOPLE)
methods = st.sampled_from(QueueingMethod)
LATER = timedelta(days=20)


class QueueMachine(ModelMachine):
    # Steps that people take.

    @rule(who=people, twice=st.booleans())
    def join(self, who: str, twice: bool) -> None:
        for _ in range(1 + twice):
            refused = self.refusal(self.stores.queues.join(self.concert.id, PersonId(who)))
            assert isinstance(refused, RoomNotOpen) == (not self.model.join(who)), refused
            assert not isinstance(refused, RoomNotOpen) or refused.status is self.model.status

    @rule(count=st.integers(1, len(PEOPLE)))
    def join_together(self, count: int) -> None:
        if self.model.status not in (RoomStatus.SUSPENDED, RoomStatus.REJECTING, RoomStatus.CLOSED):
            joined = self.do(
                gather_results(*[self.stores.queues.join(self.concert.id, PersonId(w)) for w in PEOPLE[:count]])
            )
            for entry in sorted(joined, key=lambda entry: entry.record.entry_id):
                self.model.join(entry.record.person_id)

    @rule(who=people)
    def leave(self, who: str) -> None:
        refused = self.refusal(self.stores.queues.leave(self.concert.id, PersonId(who)))
        assert isinstance(refused, NotInQueue) == (who not in self.model.entries)
        self.model.leave(who)

    @rule(who=people)
    def claim(self, who: str) -> None:
        refused = self.refusal(self.stores.queues.claim(self.concert.id, PersonId(who)))
        if not self.model.has_active_entry(who):
            assert isinstance(refused, NotInQueue)
        elif who in self.model.waiting:
            assert isinstance(refused, NotAdmitted)
            assert refused.position == self.position(who, is_shown=False)
        else:
            assert refused is None
            self.model.claim(who)

    @rule(who=people)
    def heartbeat(self, who: str) -> None:
        refused = self.refusal(self.stores.queues.heartbeat(self.concert.id, PersonId(who)))
        assert isinstance(refused, NotInQueue) == (not self.model.has_active_entry(who))
        if who in self.model.waiting:
            self.model.overdue.discard(who)

    @rule(nth=st.integers(0, len(PEOPLE) - 1))
    def buy_with_a_pass(self, nth: int) -> None:
        """Choose a person by index, because random calls decide who is admitted."""
        admitted = [who for who, entry in self.model.entries.items() if entry.state is EntryState.ADMITTED]
        if not admitted:
            return
        who = admitted[nth % len(admitted)]
        if who not in self.model.overdue or self.model.in_grace:
            held = self.do(hold_with_pass(self.stores, self.concert, who))
            assert len(self.do(buy(self.stores, held)).units) == 1
            self.model.give_back(who, EntryEnd.SPENT)

    # Steps that change presence.

    @rule(who=people, process=st.sampled_from("ab"), is_connected=st.booleans(), is_old=st.booleans())
    def sync_presence(self, who: str, process: str, is_connected: bool, is_old: bool) -> None:
        name = self.processes[process]
        self.sequence += 1
        number = max(1, self.sequence - 20) if is_old else self.sequence
        change = number if is_connected else -number
        is_known = name in self.known_processes
        changes = [(PersonId(who), change)]
        self.do(self.stores.queues.sync_presence(self.concert.id, name, changes, is_known=is_known))
        self.known_processes.add(name)
        self.model.sync_presence(who, name, change)

    @rule(process=st.sampled_from("ab"))
    def crash_process(self, process: str) -> None:
        name = self.processes[process]
        if name in self.known_processes and not self.model.in_grace:
            self.make_due("leases", name)
            self.turn()
            self.forget(process)

    def forget(self, process: str) -> None:
        """Drop what a process with an expired lease reported, and restart it under a new name."""
        name = self.processes[process]
        for presence in self.model.presence.values():
            presence.pop(name, None)
        if name in self.known_processes:
            with pytest.raises(LeaseExpired):
                self.do(self.stores.queues.sync_presence(self.concert.id, name, is_known=True))
        self.processes[process] = f"{process}{int(name[1:]) + 1}"

    @rule(who=people)
    def miss_heartbeats(self, who: str) -> None:
        """Backdate the last heartbeat, which changes nothing for a connected person."""
        self.make_due("presence_deadlines", who)
        if who in self.model.waiting and not self.model.is_present(who):
            self.model.overdue.add(who)

    @rule(who=people)
    def let_the_slot_expire(self, who: str) -> None:
        """Let the deadline of a call or session pass."""
        if who in self.model.with_a_slot():
            self.make_due("slots", who)
            self.model.overdue.add(who)
            self.turn()

    # Worker runs, outages and restarts.

    @rule(at_once=st.sampled_from([1, 1, 4]))
    def work(self, at_once: int) -> None:
        self.turn(at_once)

    def turn(self, at_once: int = 1) -> None:
        self.do(self.stores.hot_state.expire_holds(self.concert.id, limit=100))
        admission = AdmissionWorker()
        runs = self.do(gather_results(*[admission.run_for(self.stores, self.concert.id) for _ in range(at_once)]))
        assert all(isinstance(run, RunResult) for run in runs), runs
        self.model.turn()

    @precondition(lambda self: not self.model.in_grace)
    @rule()
    def hours_without_workers(self) -> None:
        """Entries are kept until the grace period ends; then absent people lose theirs."""
        self.turn()
        self.every_entry_matches_the_model()
        is_active = self.do(self.stores.hot_state.expire_holds(self.concert.id, limit=100)).is_active
        self.do(advance_clock(self.stores, self.concert, LONG_MS + 1))
        self.do(self.stores.hot_state.expire_holds(self.concert.id, limit=100))
        self.model.called_lately = 0
        self.model.in_grace = is_active
        absent = {who for who in self.model.waiting if not self.model.is_present(who)}
        self.model.overdue |= absent | set(self.model.with_a_slot())

    @precondition(lambda self: self.model.in_grace)
    @rule()
    def let_the_grace_period_end(self) -> None:
        self.do(end_grace(self.stores, self.concert))
        self.model.in_grace = False
        self.turn()
        leases = self.do(
            self.stores.script_client.run_command("ZRANGE", concert_key(self.concert, "leases"), "0", "-1")
        )
        for process, name in list(self.processes.items()):
            if name.encode() not in leases:
                self.forget(process)

    @rule()
    def the_store_restarts(self) -> None:
        """A restarted store or a promoted replica is not trusted until it is recovered."""
        self.do(replace_incarnation(self.stores, self.concert))
        assert isinstance(self.refusal(self.stores.queues.read_queue(self.concert.id)), TemporarilyUnavailable)
        self.do(self.stores.recovery.ensure(self.concert.id))
        self.epoch += 1
        if self.model.revealed is not None and self.model.ranks is None:
            self.model.draw()

    # Steps that organizers take.

    @rule(slots=st.integers(1, 6), per_minute=st.one_of(st.just(1_000), st.integers(1, 20)))
    def change_the_caps(self, slots: int, per_minute: int) -> None:
        assert self.configure(total_active_users=slots, new_users_per_minute=per_minute) is None
        self.model.cap, self.model.per_minute = slots, per_minute

    @rule(is_on=st.booleans())
    def pause(self, is_on: bool) -> None:
        assert self.configure(queue_all=is_on) is None
        self.model.is_paused = is_on

    @rule(is_on=st.sampled_from([True, False, False]))
    def suspend(self, is_on: bool) -> None:
        assert self.configure(suspended=is_on) is None
        self.model.is_suspended = is_on

    @precondition(lambda self: not self.concert.room.shuffle_at_start)
    @rule(method=st.one_of(st.just(QueueingMethod.FIFO), methods))
    def change_the_method(self, method: QueueingMethod) -> None:
        assert self.configure(queueing_method=method) is None
        self.model.method = method

    @rule(count=st.integers(1, 8))
    def admit_next(self, count: int) -> None:
        command = key()
        answers = [
            self.do(gather_results(self.stores.queues.admit_next(
                self.concert.id, command_key=command, digest="d", count=count)))[0]
            for _ in range(2)
        ]  # fmt: skip
        if self.model.status in (RoomStatus.OPEN, RoomStatus.PAUSED):
            assert answers == [self.model.call(count, is_manual=True)] * 2
        else:
            assert [type(answer) for answer in answers] == [RoomNotOpen] * 2

    @precondition(lambda self: self.model.is_due and not self.model.is_sale_over)
    @rule(is_marked_by_worker=st.booleans())
    def the_sale_ends(self, is_marked_by_worker: bool) -> None:
        self.do(self.stores.hot_state.expire_holds(self.concert.id, limit=100))
        self.move_the_end_of_the_sale(datetime.now(UTC) - timedelta(seconds=1))
        self.model.end_sale()
        state, records = self.do(self.read_all())
        for who, record in records.items():
            self.check(who, record, state)
        if is_marked_by_worker:
            self.turn()

    @precondition(lambda self: self.model.is_sale_over)
    @rule()
    def the_sale_opens_again(self) -> None:
        self.move_the_end_of_the_sale(datetime.now(UTC) + timedelta(days=29))
        self.model.begin_sale()

    def move_the_end_of_the_sale(self, end: datetime) -> None:
        change = ConcertChange(sales_end_at=end)
        self.do(concerts.update_concert(organizer(self.stores), self.concert.id, change, expected_version=None))
        self.read_settings()

    @precondition(lambda self: not self.model.is_sale_over)
    @rule(is_lottery=st.booleans(), is_later=st.booleans())
    def reset(self, is_lottery: bool, is_later: bool) -> None:
        is_lottery &= self.model.method is QueueingMethod.FIFO
        opens_at = datetime.now(UTC) + LATER if is_later else None
        change = RoomSettingsPatch((("shuffle_at_start", is_lottery), ("opens_at", opens_at)))
        for _ in range(2):
            self.do(rooms.reset(organizer(self.stores), self.concert.id, change, f"reset {self.model.round}"))
        self.model.reset(is_lottery=is_lottery, is_due=not is_later)
        self.read_settings()

    @rule()
    def decide_on_a_lottery(self) -> None:
        """A lottery can be turned on or off until the opening; afterward, all numbers are final."""
        if self.model.method is QueueingMethod.FIFO:
            wanted = not self.concert.room.shuffle_at_start
            refused = self.configure(shuffle_at_start=wanted)
            assert isinstance(refused, QueueOpened) == self.model.is_due, refused
            if refused is None:
                self.model.is_lottery = wanted

    @precondition(lambda self: not self.model.is_due)
    @rule()
    def open_now(self) -> None:
        assert self.configure(opens_at=None) is None
        self.model.is_due = True

    @precondition(lambda self: self.model.is_lottery and not self.model.is_sale_over)
    @rule(is_after_the_freeze=st.booleans())
    def crash_an_opening(self, is_after_the_freeze: bool) -> None:
        lotteries, round_ = self.stores.lotteries, self.model.round
        fence = self.do(lotteries.read_epoch(self.concert.id, round_))
        frozen = self.do(self.stores.hot_state.freeze_queue(self.concert.id, round_))
        count, digest = frozen.registrations, frozen.digest
        if not self.model.is_due or self.model.is_open:
            assert frozen.word == ("OPEN" if self.model.is_open else "TOO_EARLY")
            return
        assert (frozen.word, count) == ("FROZEN", self.model.freeze())
        if not is_after_the_freeze:
            reveal = self.do(lotteries.reveal(self.concert.id, round_, registrations=count, digest=digest, epoch=fence))
            assert reveal is not None
            self.model.revealed = drawn_ranks(reveal.seed, count)

    @precondition(lambda self: self.model.is_lottery and self.model.is_due and not self.model.is_sale_over)
    @rule()
    def draw(self) -> None:
        was_open = self.model.is_open
        assert self.do(self.stores.lottery_opener.open(self.concert)) == ("OPEN" if was_open else "OPENED")
        reveal = self.do(self.stores.lotteries.find_reveal(self.concert.id, self.model.round))
        assert reveal is not None
        assert reveal.registrations == self.model.freeze()
        if not was_open:
            self.model.revealed = drawn_ranks(reveal.seed, reveal.registrations)
            self.model.draw()

    @precondition(lambda self: self.model.method is QueueingMethod.FIFO and not self.model.is_sale_over)
    @rule(leaving=st.sets(people, max_size=5))
    def run_a_lottery(self, leaving: set[str]) -> None:
        """Run some steps in an order that Hypothesis rarely chooses."""
        self.reset(is_lottery=True, is_later=True)
        self.join_together(count=len(PEOPLE))
        for who in sorted(leaving):
            self.leave(who=who)
        self.open_now()
        self.turn()
        self.draw()


@MODEL_TIMEOUT
def test_the_queue_scripts_match_the_model(
    valkey_url: str, mongo_url: str, mongo_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_store, "LEASE_MS", LONG_MS)
    run_machine(QueueMachine, opened(valkey_url, mongo_url, mongo_database), examples=25, steps=50)
