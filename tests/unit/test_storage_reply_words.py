"""Every word that a script may answer has a branch in the method that calls it; a word without one is our error.

Each method runs on a link that answers each word its script declares, and then one that no branch names. That it would
otherwise be taken for a refusal of the caller, or for a success, is what these tests prevent.
"""

import ast
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.errors import OnsaleError, TemporarilyUnavailable
from domain.holds import TicketRequest
from domain.ids import ConcertId, HoldId
from domain.lottery import Permutation
from storage import scripts
from storage.hot.events import EventStore, StoredEvent
from storage.hot.guarded_client import GuardedClient
from storage.hot.holds import AlreadySold, HoldStore
from storage.hot.hot_state import HotState
from storage.hot.person_concerts import PersonConcerts
from storage.hot.queues import LeaseExpired, QueueStore
from storage.hot.rate_limits import RateLimits
from storage.hot.script_client import Reply
from storage.hot.snapshots import CHANGES_PAGE_SIZE, SnapshotStore
from storage.scripts import Script, ScriptReplyError
from tests.support.snapshots import ALICE, CONCERT, NOW, ORDER, TIER

Call = Callable[[Any], Awaitable[object]]

ROOT = Path(__file__).parents[2]
ID = HoldId("b" * 32)
KEY, DIGEST = "k", "d"
EVENT = StoredEvent("1-0", 1, {})
HOLD = json.dumps(
    {
        "person": "alice",
        "state": "HELD",
        "reason": "",
        "units": [],
        "lines": [],
        "created_ms": 1,
        "deadline_ms": 2,
        "digest": "d",
    }
).encode()
ENTRY = json.dumps({"id": 1, "state": "WAITING", "joined_ms": 1, "deadline_ms": 2, "round": 1}).encode()

QUEUE = [1, 1, 1, 1, 0, 0, b"", 0, 0, b"OPEN", b"1", 0, 2]
STOCK = [1, 2, TIER.encode(), 9, b"2", b"3"]

AFTER_WORD: dict[str, Any] = {
    "HOLD": [HOLD, b"3"],
    "SOLD_OUT": [TIER.encode(), 0, b""],
    "ORDER_LIMIT": [4],
    "PERSON_LIMIT": [4, 1, 2],
    "NOT_ON_SALE": [b"PUBLISHED", b"5", b"9", b"1"],
    "NOT_ADMITTED": [b"NOT_CALLED", 1],
    "UNKNOWN_TIER": [TIER.encode()],
    "begin_purchase BUYING": [HOLD, b"3"],
    "ENDED": [b"EXPIRED"],
    "IN_USE": [7],
    "EXPIRED": [0, 0],
    "STOCK": [STOCK],
    "HOLDS": [b"0", HOLD],
    "PERSON": [0, 0, b"0"],
    "ENTRY": [ENTRY, b"0", 1],
    "NOT_CALLED": [b""],
    "NOT_OPEN": [b"CLOSED", b""],
    "RAN": [0, 0, 0],
    "CALLED": [1],
    "FROZEN": [1, b"digest"],
    "QUEUE": [QUEUE],
    "ENTRIES": [b"0", ENTRY],
    "CHANGES": [[1, 1, 0]],
    "SNAPSHOT": [QUEUE, STOCK, [1, 1, 0]],
    "EVENTS": [b"-"],
    "ACKNOWLEDGED": [1],
    "DROPPED": [1],
    "RATE_LIMITED": [1_000],
    "CONCERTS": [CONCERT.id.encode()],
}
"""The rest of a reply, where a word has one. `script WORD` goes before `WORD`."""

BEFORE: dict[Script, tuple[Script, str, Any]] = {
    scripts.READ_CHANGES: (
        scripts.READ_SNAPSHOT,
        "SNAPSHOT",
        [QUEUE, STOCK, [1, 1, 0, *[ALICE.encode(), 1] * CHANGES_PAGE_SIZE]],
    ),
}
"""The reply of another script that leads to this one: changes are read on after a full page of them."""


class FakeLink:
    """Answers one script with one word, and what leads to it as `BEFORE` says; the other scripts are away."""

    def __init__(self, script: Script, word: str) -> None:
        self._script = script
        self._word = word

    async def call(self, script: Script, concert_id: ConcertId, *args: object) -> tuple[str, Reply]:
        return await self.call_with_keys(script, (), *args)

    async def call_with_keys(self, script: Script, keys: tuple[str, ...], *args: object) -> tuple[str, Reply]:
        if script is not self._script:
            before, word, rest = BEFORE.get(self._script, (None, "", []))
            if script is not before:
                raise TemporarilyUnavailable("another script")
            return word, list(rest)
        return self._word, list(AFTER_WORD.get(f"{script.name} {self._word}", AFTER_WORD.get(self._word, [])))


class FakeDoubt:
    async def refusal_for(self, concert_id: ConcertId, word: str) -> OnsaleError:
        return TemporarilyUnavailable(word)


def holds(link: Any) -> HoldStore:
    return HoldStore(GuardedClient(link, FakeDoubt()))


def queues(link: Any) -> QueueStore:
    return QueueStore(GuardedClient(link, FakeDoubt()))


def snapshots(link: Any) -> SnapshotStore:
    return SnapshotStore(GuardedClient(link, FakeDoubt()))


async def read_letters(link: Any) -> None:
    async for _ in EventStore(link).dead_letters(CONCERT.id):
        pass


CALLS: dict[Script, Call] = {
    scripts.HOLD_TICKETS: lambda link: holds(link).hold(
        CONCERT.id, ID, [TicketRequest(TIER, 1)], person_id=ALICE, digest=DIGEST
    ),
    scripts.RELEASE_HOLD: lambda link: holds(link).release(CONCERT.id, ID, person_id=ALICE),
    scripts.BEGIN_PURCHASE: lambda link: holds(link).begin_purchase(
        CONCERT.id, ID, person_id=ALICE, purchase_key=KEY, digest=DIGEST
    ),
    scripts.READ_HOLDS: lambda link: holds(link).get(CONCERT.id, ID),
    scripts.READ_PERSON: lambda link: holds(link).list_for_person(CONCERT.id, ALICE),
    scripts.READ_STOCK: lambda link: holds(link).read_stock(CONCERT.id),
    scripts.JOIN_QUEUE: lambda link: queues(link).join(CONCERT.id, ALICE),
    scripts.LEAVE_QUEUE: lambda link: queues(link).leave(CONCERT.id, ALICE),
    scripts.HEARTBEAT: lambda link: queues(link).heartbeat(CONCERT.id, ALICE),
    scripts.CLAIM_PASS: lambda link: queues(link).claim(CONCERT.id, ALICE),
    scripts.ADMIT_NEXT: lambda link: queues(link).admit_next(CONCERT.id, command_key=KEY, digest=DIGEST, count=1),
    scripts.READ_QUEUE: lambda link: queues(link).read_queue(CONCERT.id),
    scripts.READ_ENTRIES: lambda link: queues(link).read_entries(CONCERT.id, [ALICE]),
    scripts.READ_POSITION: lambda link: queues(link).read_position(CONCERT.id, ALICE),
    scripts.READ_SNAPSHOT: lambda link: snapshots(link).read(CONCERT.id, after=0),
    scripts.READ_CHANGES: lambda link: snapshots(link).read(CONCERT.id, after=0),
    scripts.SYNC_PRESENCE: lambda link: queues(link).sync_presence(CONCERT.id, "process"),
    scripts.ADD_PERSON_CONCERT: lambda link: PersonConcerts(link).add(ALICE, CONCERT.id, expires_at=NOW),
    scripts.READ_PERSON_CONCERTS: lambda link: PersonConcerts(link).list(ALICE),
    scripts.COUNT_ATTEMPT: lambda link: RateLimits(link).count_attempt("joins", "alice", limit=1, window_s=1),
    scripts.APPLY_CONCERT: lambda link: HotState(link).apply_concert(CONCERT),
    scripts.RECORD_ORDER: lambda link: HotState(link).record_order(ORDER),
    scripts.WITHDRAW_UNITS: lambda link: HotState(link).withdraw_units(CONCERT.id, ID, TIER, 1),
    scripts.EXPIRE_HOLDS: lambda link: HotState(link).expire_holds(CONCERT.id, limit=1),
    scripts.FIND_OVERDUE: lambda link: HotState(link).find_overdue_purchases(CONCERT.id, limit=1),
    scripts.VOID_HOLD: lambda link: HotState(link).void_hold(CONCERT.id, ID),
    scripts.FIND_UNRECORDED: lambda link: HotState(link).find_unrecorded(CONCERT.id, [(ORDER.id, 1)]),
    scripts.ADMIT: lambda link: HotState(link).run_admission(CONCERT.id, bound=1),
    scripts.FREEZE_QUEUE: lambda link: HotState(link).freeze_queue(CONCERT.id, 1),
    scripts.OPEN_QUEUE: lambda link: HotState(link).open_queue(CONCERT.id, 1, Permutation(b"", b"")),
    scripts.MARK_RECOVERY: lambda link: HotState(link).mark_recovery(CONCERT.id, 1),
    scripts.FINISH_RECOVERY: lambda link: HotState(link).finish_recovery(CONCERT.id, 1),
    scripts.CLAIM_EVENTS: lambda link: EventStore(link).claim(CONCERT.id, "group", limit=1),
    scripts.ACKNOWLEDGE_EVENTS: lambda link: EventStore(link).acknowledge(CONCERT.id, "group", ["1-0"]),
    scripts.FAIL_EVENT: lambda link: EventStore(link).record_failure(CONCERT.id, "group", EVENT, "why"),
    scripts.RETURN_EVENTS: lambda link: EventStore(link).return_events(CONCERT.id, "group", [EVENT]),
    scripts.READ_DEAD_LETTERS: read_letters,
    scripts.DROP_DEAD_LETTERS: lambda link: EventStore(link).drop_dead_letters(CONCERT.id, ["1-0"]),
}
"""The method that calls each script."""


@pytest.mark.parametrize(
    ("script", "word"),
    [(script, word) for script in scripts.ALL for word in sorted(script.replies)],
    ids=lambda part: part.name if isinstance(part, Script) else part,
)
async def test_every_declared_word_has_a_branch(script: Script, word: str) -> None:
    with contextlib.suppress(OnsaleError, AlreadySold, LeaseExpired):
        await CALLS[script](FakeLink(script, word))


@pytest.mark.parametrize("script", scripts.ALL, ids=lambda script: script.name)
async def test_word_without_a_branch_is_our_error(script: Script) -> None:
    with pytest.raises(ScriptReplyError, match=f"{script.name} answered 'NEW_WORD'"):
        await CALLS[script](FakeLink(script, "NEW_WORD"))


def matches_over_words(path: Path) -> Iterator[ast.Match]:
    """The `match` statements with a pattern that is a word of a script."""
    words = {word for script in scripts.ALL for word in script.replies}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Match):
            named = {
                value.value
                for case in node.cases
                for value in ast.walk(case.pattern)
                if isinstance(value, ast.Constant)
            }
            if named & words:
                yield node


def raises_script_reply_error(case: ast.match_case) -> bool:
    is_default = isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None and case.guard is None
    raised = case.body[0]
    return is_default and isinstance(raised, ast.Raise) and "ScriptReplyError(" in ast.unparse(raised)


@pytest.mark.parametrize("room", ["storage", "workers", "resolvers"])
def test_every_match_over_words_ends_in_script_reply_error(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for node in matches_over_words(path)
        if not raises_script_reply_error(node.cases[-1])
    ]
    assert wrong == []
