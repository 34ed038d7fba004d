"""Revocations in memory: what they refuse, how often they are read, and how many are kept."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from auth.revocation.revocations import MAX_CLOCK_DIFFERENCE_S, READ_EVERY_S, REPORT_AFTER_S, Revocations
from domain.errors import TemporarilyUnavailable
from domain.identity.revocations import REVOCATION_LASTS_S, AlreadyRevoked, Revocation
from domain.ids import PersonId
from tests.support.loop_clock import LoopClock
from tests.support.revocations import START_S, FakeRevocationStore, viewer
from tests.support.waiting import wait_until

ALICE = PersonId("alice")
UNAVAILABLE = TemporarilyUnavailable("The order database does not answer")


@asynccontextmanager
async def running(revocations: Revocations) -> AsyncIterator[None]:
    task = asyncio.create_task(revocations.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_session_is_refused_however_late_its_token_was_issued() -> None:
    revocations = Revocations(FakeRevocationStore())
    await revocations.revoke_session("s1")
    assert revocations.is_revoked(viewer(sid="s1"))
    assert revocations.is_revoked(viewer("bob", sid="s1", issued_at=START_S + 1_000))
    assert not revocations.is_revoked(viewer(sid="s2"))
    assert not revocations.is_revoked(viewer())


@pytest.mark.parametrize(("issued_at", "is_revoked"), [(99.0, True), (100.0, True), (100.5, False), (0.0, True)])
async def test_tokens_issued_up_to_a_persons_revocation_are_refused(issued_at: float, *, is_revoked: bool) -> None:
    revocations = Revocations(FakeRevocationStore())
    await revocations.revoke_person(ALICE, 100.0)
    assert revocations.is_revoked(viewer(issued_at=issued_at)) is is_revoked
    assert not revocations.is_revoked(viewer("bob", issued_at=issued_at))


async def test_an_earlier_revocation_of_a_person_does_not_replace_a_later_one() -> None:
    revocations = Revocations(FakeRevocationStore())
    await revocations.revoke_person(ALICE, 200.0)
    await revocations.revoke_person(ALICE, 100.0)
    assert revocations.is_revoked(viewer(issued_at=150))


async def test_sub_and_sid_with_the_same_text_are_not_confused() -> None:
    revocations = Revocations(FakeRevocationStore())
    await revocations.revoke_session("alice")
    assert not revocations.is_revoked(viewer())
    await revocations.revoke_person(PersonId("s1"), START_S)
    assert not revocations.is_revoked(viewer(sid="s1"))


async def test_failed_write_changes_nothing() -> None:
    store = FakeRevocationStore(failure=UNAVAILABLE)
    hints: list[str] = []
    revocations = Revocations(store, publish_hint=lambda: hints.append("hint"))
    with pytest.raises(TemporarilyUnavailable):
        await revocations.revoke_session("s1")
    assert (len(revocations), store.revocations, hints) == (0, [], [])


async def test_revocation_id_is_recorded_only_once() -> None:
    store = FakeRevocationStore()
    revocations = Revocations(store)
    await revocations.revoke(Revocation("jti", session_id="s1"))
    with pytest.raises(AlreadyRevoked):
        await revocations.revoke(Revocation("jti", session_id="s2"))
    assert [one.session_id for one in store.revocations] == ["s1"]
    assert not revocations.is_revoked(viewer(sid="s2"))


async def test_new_revocations_are_announced_once() -> None:
    store, announced = FakeRevocationStore(page_size=2), list[list[str | None]]()
    revocations = Revocations(store)

    def announce(new: Sequence[Revocation]) -> None:
        announced.append([one.session_id for one in new])

    revocations.subscribe(announce)
    other = Revocations(store)
    for sid in ("s1", "s2", "s3"):
        await other.revoke_session(sid)
    await revocations.read_new()
    await revocations.read_new()
    assert announced == [["s1", "s2"], ["s3"]]


async def test_revocations_are_read_at_the_start_and_then_even_without_hints() -> None:
    clock, store = LoopClock(), FakeRevocationStore()
    revocations, other = Revocations(store), Revocations(store)
    await other.revoke_session("before")
    async with running(revocations):
        await revocations.wait_until_loaded()
        assert revocations.is_revoked(viewer(sid="before"))
        for count in range(1, 4):
            await wait_until(lambda count=count: store.reads == count, what="the read")  # type: ignore[misc]
            await other.revoke_session(f"s{count}")
            clock.advance(READ_EVERY_S)
            await wait_until(lambda count=count: revocations.is_revoked(viewer(sid=f"s{count}")))  # type: ignore[misc]
            assert store.reads == count + 1


async def test_hint_makes_the_process_read_immediately() -> None:
    store = FakeRevocationStore()
    revocations = Revocations(store)
    LoopClock()
    async with running(revocations):
        await revocations.wait_until_loaded()
        await store.insert(Revocation("jti", session_id="s1"))
        revocations.wake()
        await wait_until(lambda: revocations.is_revoked(viewer(sid="s1")))


async def test_writer_publishes_a_hint_after_the_write() -> None:
    store, seen = FakeRevocationStore(), list[int]()

    def publish() -> None:
        seen.append(len(store.revocations))

    await Revocations(store, publish_hint=publish).revoke_session("s1")
    assert seen == [1]


async def test_nothing_is_loaded_until_the_database_answers(caplog: pytest.LogCaptureFixture) -> None:
    clock, store = LoopClock(), FakeRevocationStore(failure=UNAVAILABLE)
    revocations = Revocations(store)
    async with running(revocations):
        await wait_until(lambda: store.reads == 1, what="the first read")
        assert not revocations.is_loaded
        assert revocations.problem == "the ended sessions have not been read since startup"
        store.failure = None
        clock.advance(READ_EVERY_S)
        await revocations.wait_until_loaded()
        assert revocations.problem is None
    assert [message.partition(",")[0] for message in caplog.messages] == [
        "the ended sessions cannot be read",
        "the ended sessions can be read again; they could not be read for 1 s",
    ]


async def test_known_revocations_are_kept_during_an_outage_which_is_reported() -> None:
    clock, store = LoopClock(), FakeRevocationStore()
    revocations = Revocations(store)
    await revocations.revoke_session("s1")
    async with running(revocations):
        await revocations.wait_until_loaded()
        store.failure = UNAVAILABLE
        clock.advance(READ_EVERY_S)
        await wait_until(lambda: store.reads == 2, what="the failed read")
        assert revocations.problem is None
        clock.advance(REPORT_AFTER_S)
        assert revocations.problem == "the ended sessions were last read 10 s ago"
        assert revocations.is_loaded
        assert revocations.is_revoked(viewer(sid="s1"))


async def test_revocations_beyond_the_bound_refuse_all_older_tokens() -> None:
    store = FakeRevocationStore()
    revocations = Revocations(store, capacity=2)
    for number, sid in enumerate(("s0", "s1", "s2")):
        store.now_s = START_S + number
        await store.insert(Revocation(sid, session_id=sid))
    await revocations.read_new()
    assert len(revocations) == 2
    floor_s = START_S + MAX_CLOCK_DIFFERENCE_S
    assert revocations.is_revoked(viewer(sid="s0", issued_at=START_S))
    assert revocations.is_revoked(viewer("bob", issued_at=floor_s))
    assert not revocations.is_revoked(viewer("bob", issued_at=floor_s + 1))
    assert revocations.is_revoked(viewer(sid="s2", issued_at=floor_s + 1))


async def test_expired_revocations_are_forgotten() -> None:
    store = FakeRevocationStore()
    revocations = Revocations(store)
    await store.insert(Revocation("jti", session_id="s1"))
    await revocations.read_new()
    store.now_s += REVOCATION_LASTS_S
    await revocations.read_new()
    assert len(revocations) == 1
    store.now_s += 1
    await revocations.read_new()
    assert len(revocations) == 0
