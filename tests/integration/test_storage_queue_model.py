"""The real scripts of the line against lists: everybody's state, number and position are exact, whatever happens."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from domain.concerts import ConcertChange
from domain.errors import NotAdmitted, NotInQueue, QueueOpened, RoomNotOpen, TemporarilyUnavailable
from domain.ids import PersonId
from domain.orders import Order
from domain.queues import EntryEnd, EntryState, QueueingMethod, RoomStatus
from domain.room_changes import RoomSettingsPatch
from resolvers import concerts, holds, queues, rooms
from storage.hot import queues as queue_store
from storage.hot.queues import LeaseExpired
from tests.support.queue_machine import LONG_MS, PEOPLE, ModelMachine, gathered
from tests.support.queue_model import drawn_ranks
from tests.support.sale import buy, context, key, lines, opened, organizer
from workers.admission import AdmissionWorker
from workers.concert_worker import RunResult

people = st.sampled_from(PEOPLE)
methods = st.sampled_from(QueueingMethod)
LATER = timedelta(days=20)


class LineMachine(ModelMachine):
    # What people do.

    @rule(who=people, twice=st.booleans())
    def join(self, who: str, twice: bool) -> None:
        for _ in range(1 + twice):
            refused = self.refusal(self.stores.queues.join(self.concert.id, PersonId(who)))
            assert isinstance(refused, RoomNotOpen) == (not self.model.join(who)), refused
            assert not isinstance(refused, RoomNotOpen) or refused.status is self.model.status

    @rule(crowd=st.integers(1, len(PEOPLE)))
    def join_together(self, crowd: int) -> None:
        if self.model.status not in (RoomStatus.SUSPENDED, RoomStatus.REJECTING, RoomStatus.CLOSED):
            joined = self.do(gathered(*[self.stores.queues.join(self.concert.id, PersonId(w)) for w in PEOPLE[:crowd]]))
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
    def spend(self, nth: int) -> None:
        """Who was admitted may be up to a draw, and what hypothesis chooses from may not."""
        admitted = [who for who, entry in self.model.entries.items() if entry.state is EntryState.ADMITTED]
        if not admitted:
            return
        who = admitted[nth % len(admitted)]
        if who not in self.model.overdue or self.model.in_grace:
            order = self.do(self.buy_with_pass(who))
            assert len(order.units) == 1
            self.model.give_back(who, EntryEnd.SPENT)

    async def buy_with_pass(self, who: str) -> Order:
        shown = await queues.get_viewer_entry(context(self.stores, who), self.concert.id)
        assert shown is not None
        assert shown.queue_pass is not None
        asked = lines(self.concert, 1)
        held = await holds.hold_tickets(
            context(self.stores, who), self.concert.id, asked, key(), shown.queue_pass.token
        )
        return await buy(self.stores, held)

    # Sockets and silence.

    @rule(who=people, process=st.sampled_from("ab"), here=st.booleans(), is_old=st.booleans())
    def attach(self, who: str, process: str, here: bool, is_old: bool) -> None:
        name = self.processes[process]
        news = self.news = self.news + 1
        news = max(1, news - 20) if is_old else news
        said = [(PersonId(who), news if here else -news)]
        self.do(self.stores.queues.sync_presence(self.concert.id, name, said, is_known=name in self.said))
        self.said.add(name)
        self.model.attach(who, name, news if here else -news)

    @rule(process=st.sampled_from("ab"))
    def a_process_dies(self, process: str) -> None:
        name = self.processes[process]
        if name in self.said and not self.model.in_grace:
            self.do(self.stores.script_client.run_command("ZADD", self.key("leases"), "XX", "1", name))
            self.turn()
            self.forget(process)

    def forget(self, process: str) -> None:
        """Its lease is over: nobody's word counts that it gave."""
        name = self.processes[process]
        for marks in self.model.marks.values():
            marks.pop(name, None)
        if name in self.said:
            with pytest.raises(LeaseExpired):
                self.do(self.stores.queues.sync_presence(self.concert.id, name, is_known=True))
        self.processes[process] = f"{process}{int(name[1:]) + 1}"

    @rule(who=people)
    def fall_silent(self, who: str) -> None:
        """The last heartbeat is old. Nothing happens to somebody with a socket."""
        self.do(self.stores.script_client.run_command("ZADD", self.key("presence_deadlines"), "XX", "1", who))
        if who in self.model.waiting and not self.model.is_present(who):
            self.model.overdue.add(who)

    @rule(who=people)
    def let_it_lapse(self, who: str) -> None:
        """A call that nobody answered, or a session that is over."""
        if who in self.model.with_a_slot():
            self.do(self.stores.script_client.run_command("ZADD", self.key("slots"), "XX", "1", who))
            self.model.overdue.add(who)
            self.turn()

    # Workers, outages, restarts.

    @rule(at_once=st.sampled_from([1, 1, 4]))
    def work(self, at_once: int) -> None:
        self.turn(at_once)

    def turn(self, at_once: int = 1) -> None:
        self.do(self.stores.hot_state.expire_holds(self.concert.id, limit=100))
        admission = AdmissionWorker()
        looks = self.do(gathered(*[admission.run_for(self.stores, self.concert.id) for _ in range(at_once)]))
        assert all(isinstance(look, RunResult) for look in looks), looks
        self.model.turn()

    @precondition(lambda self: not self.model.in_grace)
    @rule()
    def hours_without_workers(self) -> None:
        """Nobody loses anything by it; who does not come back until the grace is over was not there."""
        self.turn()
        self.every_entry_matches_the_model()
        is_active = self.do(self.stores.hot_state.expire_holds(self.concert.id, limit=100)).is_active
        self.do(self.stores.script_client.run_command("HINCRBY", self.key("state"), "now_ms", str(LONG_MS + 1)))
        self.do(self.stores.hot_state.expire_holds(self.concert.id, limit=100))
        self.model.called_lately = 0
        self.model.in_grace = is_active
        silent = {who for who in self.model.waiting if not self.model.is_present(who)}
        self.model.overdue |= silent | set(self.model.with_a_slot())

    @precondition(lambda self: self.model.in_grace)
    @rule()
    def the_grace_ends(self) -> None:
        self.do(self.stores.script_client.run_command("HSET", self.key("state"), "grace_until_ms", "0"))
        self.model.in_grace = False
        self.turn()
        leases = self.do(self.stores.script_client.run_command("ZRANGE", self.key("leases"), "0", "-1"))
        for process, name in list(self.processes.items()):
            if name.encode() not in leases:
                self.forget(process)

    @rule()
    def the_store_restarts(self) -> None:
        """Or another one took over: it is not believed until it was recovered."""
        self.do(self.stores.script_client.run_command("HSET", self.key("state"), "incarnation", "another"))
        assert isinstance(self.refusal(self.stores.queues.read_queue(self.concert.id)), TemporarilyUnavailable)
        self.do(self.stores.recovery.ensure(self.concert.id))
        self.epoch += 1
        if self.model.revealed is not None and self.model.ranks is None:
            self.model.draw()

    # What organisers do.

    @rule(slots=st.integers(1, 6), a_minute=st.one_of(st.just(1_000), st.integers(1, 20)))
    def change_the_caps(self, slots: int, a_minute: int) -> None:
        assert self.configure(total_active_users=slots, new_users_per_minute=a_minute) is None
        self.model.cap, self.model.a_minute = slots, a_minute

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
            self.do(gathered(self.stores.queues.admit_next(
                self.concert.id, command_key=command, digest="d", count=count)))[0]
            for _ in range(2)
        ]  # fmt: skip
        if self.model.status in (RoomStatus.OPEN, RoomStatus.PAUSED):
            assert answers == [self.model.call(count, is_by_hand=True)] * 2
        else:
            assert [type(answer) for answer in answers] == [RoomNotOpen] * 2

    @precondition(lambda self: self.model.is_due and not self.model.is_sale_over)
    @rule(is_told_by_worker=st.booleans())
    def the_sale_ends(self, is_told_by_worker: bool) -> None:
        self.do(self.stores.hot_state.expire_holds(self.concert.id, limit=100))
        self.move_the_end_of_the_sale(datetime.now(UTC) - timedelta(seconds=1))
        self.model.end_sale()
        state, records = self.do(self.look())
        for who, record in records.items():
            self.check(who, record, state)
        if is_told_by_worker:
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
        """Until the opening. After it, who was told a number keeps it."""
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
    @rule(is_killed_after_the_freeze=st.booleans())
    def an_opener_dies(self, is_killed_after_the_freeze: bool) -> None:
        lotteries, round_ = self.stores.lotteries, self.model.round
        fence = self.do(lotteries.read_epoch(self.concert.id, round_))
        frozen = self.do(self.stores.hot_state.freeze_queue(self.concert.id, round_))
        count, digest = frozen.registrations, frozen.digest
        if not self.model.is_due or self.model.is_open:
            assert frozen.word == ("OPEN" if self.model.is_open else "TOO_EARLY")
            return
        assert (frozen.word, count) == ("FROZEN", self.model.freeze())
        if not is_killed_after_the_freeze:
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
    def a_whole_lottery(self, leaving: set[str]) -> None:
        """Seldom met by chance in one go."""
        self.reset(is_lottery=True, is_later=True)
        self.join_together(crowd=len(PEOPLE))
        for who in sorted(leaving):
            self.leave(who=who)
        self.open_now()
        self.turn()
        self.draw()


@pytest.mark.timeout(300)
def test_the_line_stands_like_its_model(
    valkey_url: str, mongo_url: str, mongo_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_store, "LEASE_MS", LONG_MS)
    with asyncio.Runner() as runner:
        opening = opened(valkey_url, mongo_url, mongo_database)
        LineMachine.runner, LineMachine.stores = runner, runner.run(opening.__aenter__())
        try:
            run_state_machine_as_test(
                LineMachine,
                settings=settings(
                    max_examples=25,
                    stateful_step_count=50,
                    deadline=None,
                    # Shrinking on real stores would outlast the test's time; the steps are told as they were.
                    phases=[Phase.generate],
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
                ),
            )
        finally:
            runner.run(opening.__aexit__(None, None, None))
