"""Callers of HotState and EventStore have a branch for every reply word, and refuse other words.

Otherwise a new word would be mistaken for "not now" or for success.
"""

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from domain.concerts import Concert
from domain.errors import OnsaleError, TemporarilyUnavailable
from domain.ids import ConcertId, OrderId, Unit
from domain.lottery import Reveal
from domain.orders import Order
from domain.room_audits import RoomCommand
from storage import scripts
from storage.hot.events import ClaimedEvents, StoredEvent
from storage.hot.hot_state import (
    AdmissionRun,
    CapacityDecision,
    ConcertCopy,
    ExpiryRun,
    FreeUnits,
    FrozenQueue,
    RecoveryMark,
)
from storage.scripts import Script, ScriptReplyError
from storage.sync.capacity_proposals import CapacityProposals
from storage.sync.concert_writer import ConcertWriter, LostKeys
from storage.sync.house_units import HouseUnits
from storage.sync.lottery_opening import LotteryOpener
from storage.sync.order_sync import OrderSync
from storage.sync.recovery import Recovery
from tests.support.snapshots import ALICE, CONCERT, NOW, ORDER
from workers.admission import AdmissionWorker
from workers.expiry import ExpiryWorker
from workers.opening import OpeningWorker
from workers.stream_consumer import StreamConsumer

NEW_WORD = "NEW_WORD"
EVENT = StoredEvent("1-0", 1, {})
ROOM = replace(CONCERT.room, shuffle_at_start=True, commitment="c", opens_at=NOW)
DRAWN = replace(CONCERT, room=ROOM)
REVEAL = Reveal(round=1, registrations=1, digest="", secret="00" * 32, seed="00" * 32, commitment="c", revealed_at=NOW)
LOWERED = replace(CONCERT, tiers=(replace(CONCERT.tiers[0], capacity=9),))


class MongoReached(Exception):
    """Raised where a caller would use MongoDB, which these tests do not start."""


class FakeStores:
    """Replaces all stores except HotState; it has one concert, one order and one reveal."""

    async def commit(self, write: object) -> Concert:
        raise MongoReached

    async def get(self, concert_id: ConcertId) -> Concert:
        return CONCERT

    async def add(self, *_: object, **__: object) -> None: ...

    async def list_all(self, *_: object) -> list[Concert]:
        return [DRAWN]

    async def raise_epoch(self, concert_id: ConcertId) -> Concert:
        return CONCERT

    async def record_store(self, *_: object) -> None: ...

    async def iterate_concert(self, concert_id: ConcertId) -> AsyncIterator[Order]:
        yield ORDER

    async def finish_withdrawals(self, concert: Concert) -> bool:
        return True

    async def read_epoch(self, *_: object) -> None: ...

    async def reveal(self, *_: object, **__: object) -> Reveal:
        return REVEAL

    async def reveal_or_invalidate(self, *_: object) -> Reveal:
        return REVEAL

    async def restore(self, *_: object) -> bool:
        return True

    async def sync_all(self, *_: object) -> bool:
        return True

    async def changed_since(self, *_: object) -> dict[ConcertId, list[tuple[OrderId, int]]]:
        return {}

    async def get_many(self, *_: object) -> tuple[Order, ...]:
        return ()

    def start(self, concert_id: ConcertId) -> None: ...

    async def refusal_for(self, concert_id: ConcertId, word: str) -> OnsaleError:
        return TemporarilyUnavailable(word)


class FailingHandler:
    """A handler that fails for each event."""

    group = "group"

    async def handle(self, stores: object, concert_id: ConcertId, events: Sequence[StoredEvent]) -> dict[str, str]:
        return {event.id: "failed" for event in events}


FAKE_STORES: Any = FakeStores()


def make_fake(**answers: object) -> Any:
    """Return an object whose methods return these values for any arguments."""

    def method(answer: object) -> Callable[..., Awaitable[object]]:
        async def answered(*_: object, **__: object) -> object:
            return answer

        return answered

    return SimpleNamespace(**{name: method(answer) for name, answer in answers.items()})


def recover(**words: object) -> Awaitable[bool]:
    usual: dict[str, object] = {
        "require_writes": None,
        "apply_concert": "APPLIED",
        "mark_recovery": RecoveryMark("MARKED", "incarnation"),
        "record_order": "RECORDED",
        "finish_recovery": "RECOVERED",
    }
    hot = make_fake(**usual | words)
    hot.incarnation = "incarnation"
    order_sync = OrderSync(FAKE_STORES, hot, FAKE_STORES, FAKE_STORES)
    return Recovery(
        FAKE_STORES, hot, order_sync=order_sync, house_units=FAKE_STORES, lottery_opener=FAKE_STORES
    ).recover(CONCERT.id)


def open_queue(*, frozen: str = "FROZEN", opened: str = "OPENED") -> Awaitable[str]:
    return LotteryOpener(make_fake(freeze_queue=FrozenQueue(frozen, 1, ""), open_queue=opened), FAKE_STORES).open(DRAWN)


def capacity_of(hot: Any) -> ConcertWriter:
    house_units = HouseUnits(FAKE_STORES, FAKE_STORES, transaction=FAKE_STORES, hot_state=hot, order_sync=FAKE_STORES)
    proposals = CapacityProposals(FAKE_STORES, hot, guard=FAKE_STORES)
    return ConcertWriter(FAKE_STORES, FAKE_STORES, hot_state=hot, house_units=house_units, proposals=proposals)


def lower_capacity(decided: str = "CAPPED", found: str = "UNITS", dropped: str = "DROPPED") -> Awaitable[Concert]:
    hot = make_fake(
        lower_capacity=CapacityDecision(decided),
        find_free_units=FreeUnits(found, (Unit(f"{CONCERT.tiers[0].id}:1"),) if found == "UNITS" else ()),
        apply_concert="CURRENT",
        drop_proposal=dropped,
    )
    return capacity_of(hot).save(CONCERT, LOWERED, RoomCommand("1", ALICE, "Alice"))


def stores_of(**parts: object) -> Any:
    return SimpleNamespace(recovery=FAKE_STORES, concert_cache=FAKE_STORES, **parts)


Call = Callable[[str], Awaitable[object]]
CALLERS: dict[str, tuple[Script, Call]] = {
    "recovery marks": (scripts.MARK_RECOVERY, lambda word: recover(mark_recovery=RecoveryMark(word))),
    "recovery records": (scripts.RECORD_ORDER, lambda word: recover(record_order=word)),
    "recovery finishes": (scripts.FINISH_RECOVERY, lambda word: recover(finish_recovery=word)),
    "opening freezes": (scripts.FREEZE_QUEUE, lambda word: open_queue(frozen=word)),
    "opening opens": (scripts.OPEN_QUEUE, lambda word: open_queue(opened=word)),
    "opening restores": (
        scripts.OPEN_QUEUE,
        lambda word: LotteryOpener(make_fake(open_queue=word), FAKE_STORES).restore(DRAWN, 1),
    ),
    "capacity proposes": (scripts.LOWER_CAPACITY, lambda word: lower_capacity(decided=word)),
    "capacity finds units": (scripts.FIND_FREE_UNITS, lambda word: lower_capacity(found=word)),
    "capacity settles": (
        scripts.DROP_PROPOSAL,
        lambda word: lower_capacity(found="RECOVERING", dropped=word),
    ),
    "capacity applies": (
        scripts.APPLY_CONCERT,
        lambda word: capacity_of(
            make_fake(copy_concert=ConcertCopy(word), apply_concert="CURRENT", drop_proposal="DROPPED")
        ).sync_if_changed(CONCERT),
    ),
    "expiry worker": (
        scripts.EXPIRE_HOLDS,
        lambda word: ExpiryWorker().run_for(stores_of(hot_state=make_fake(expire_holds=ExpiryRun(word))), CONCERT.id),
    ),
    "admission worker": (
        scripts.ADMIT,
        lambda word: AdmissionWorker().run_for(
            stores_of(hot_state=make_fake(run_admission=AdmissionRun(word))), CONCERT.id
        ),
    ),
    "consumer": (
        scripts.FAIL_EVENT,
        lambda word: StreamConsumer(FailingHandler()).run_for(
            stores_of(events=make_fake(claim=ClaimedEvents((EVENT,), "-"), record_failure=word)), CONCERT.id
        ),
    ),
}


@pytest.mark.parametrize(
    ("caller", "word"),
    [(caller, word) for caller, (script, _) in CALLERS.items() for word in sorted(script.replies)],
)
async def test_caller_has_a_branch_for_every_word(caller: str, word: str) -> None:
    _, call = CALLERS[caller]
    with contextlib.suppress(OnsaleError, MongoReached, LostKeys):
        await call(word)


@pytest.mark.parametrize("caller", CALLERS)
async def test_caller_refuses_a_word_without_a_branch(caller: str) -> None:
    script, call = CALLERS[caller]
    with pytest.raises(ScriptReplyError, match=f"{script.name} answered 'NEW_WORD'"):
        await call(NEW_WORD)


@pytest.mark.parametrize("word", sorted({NEW_WORD, *scripts.RECORD_ORDER.replies}))
async def test_order_sync_distinguishes_an_unknown_word_from_not_now(
    word: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The order is valid and its buyer receives it; only the log names the problem."""
    caplog.set_level(logging.DEBUG, logger="storage.sync.order_sync")
    is_recorded = await OrderSync(FAKE_STORES, make_fake(record_order=word), FAKE_STORES, FAKE_STORES).sync(ORDER)
    assert is_recorded is (word in ("RECORDED", "KNOWN"))
    assert ("record_order answered 'NEW_WORD'" in caplog.text) is (word == NEW_WORD)


@pytest.mark.parametrize(
    "word", sorted({NEW_WORD, *scripts.OPEN_QUEUE.replies, *scripts.FREEZE_QUEUE.replies} - {"FROZEN"})
)
async def test_opening_worker_distinguishes_an_unknown_word_from_not_now(
    word: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A lottery that cannot be opened must not delay others, so the worker only logs the error."""
    caplog.set_level(logging.DEBUG)
    assert await OpeningWorker().run_once(stores_of(lottery_opener=make_fake(open=word))) == (word == "OPENED")
    assert ("answered 'NEW_WORD'" in caplog.text) is (word == NEW_WORD)
