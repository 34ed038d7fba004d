"""Every reply word of a script has a branch in the calling method; other words raise an error.

Each method is tested with each word that its script declares and with an unknown word, which must
not be mistaken for a refusal or a success.
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
from domain.limits.rates import CallRates, Rate
from domain.lottery import Permutation
from storage import scripts
from storage.hot.events import EventStore, StoredEvent
from storage.hot.guarded_client import GuardedClient
from storage.hot.holds import HoldStore, OrderExists
from storage.hot.hot_state import HotState
from storage.hot.person_concerts import PersonConcerts
from storage.hot.queues import LeaseExpired, ProofMissing, QueueStore
from storage.hot.rate_limits import CallCounter
from storage.hot.script_client import Reply
from storage.hot.snapshots import CHANGES_PAGE_SIZE, SnapshotStore
from storage.logins.issuer_logins import IssuerLogins
from storage.logins.login_sessions import LoginSessions
from storage.readiness.hot_store import HotStoreCheck
from storage.readiness.redis_state import read_redis_state
from storage.scripts import Script, ScriptReplyError
from tests.support.snapshots import ALICE, CONCERT, NOW, ORDER, TIER

Call = Callable[[Any], Awaitable[object]]

ROOT = Path(__file__).parents[2]
ID = HoldId("b" * 32)
KEY, DIGEST = "k", "d"
RATE = Rate(1, 1)
RATES = CallRates(per_person=RATE)
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

QUEUE = [1, 1, 1, 1, 0, 0, b"", 0, 0, b"OPEN", b"1", 0, 2, 0, 0]
STOCK = [1, 2, TIER.encode(), 9, b"2", b"3", b"4950", b""]

AFTER_WORD: dict[str, Any] = {
    "HOLD": [HOLD, b"3", b"1", b"7"],
    "SOLD_OUT": [TIER.encode(), 0, b"", 1],
    "TIER_REFUSED": [TIER.encode(), b"NOT_OPEN", b"5"],
    "ORDER_LIMIT": [4],
    "PERSON_LIMIT": [4, 1, 2],
    "NOT_ON_SALE": [b"PUBLISHED", b"5", b"9", b"1"],
    "NOT_ADMITTED": [b"NOT_CALLED", 1],
    "UNKNOWN_TIER": [TIER.encode()],
    "begin_purchase BUYING": [HOLD, b"3", b"1", b"7"],
    "ENDED": [b"EXPIRED"],
    "release_hold ORDERED": [1],
    "IN_USE": [TIER.encode(), 7],
    "BEHIND": [1],
    "lower_capacity STALE": [3],
    "TOO_SOON": [1_000],
    "UNDECIDED": [1, b"proposal"],
    "EXPIRED": [0, 0],
    "STOCK": [STOCK],
    "HOLDS": [b"0", b"1", b"7", HOLD],
    "PERSON": [0, 0, b"0", b"1", b"7"],
    "ENTRY": [ENTRY, b"0", 1, b"1", b"7"],
    "NOT_CALLED": [b""],
    "NOT_OPEN": [b"CLOSED", b""],
    "RAN": [0, 0, 0],
    "CALLED": [1],
    "MARKED": [b"incarnation"],
    "STORE": [1, 1, 0],
    "FROZEN": [1, b"digest"],
    "QUEUE": [QUEUE],
    "ROOM": [[*QUEUE[:6], 0, *QUEUE[7:]]],
    "ENTRIES": [b"0", b"1", b"7", ENTRY, b"7"],
    "CHANGES": [[1, 1, 0]],
    "SNAPSHOT": [QUEUE, STOCK, [1, 1, 0]],
    "EVENTS": [b"-"],
    "ACKNOWLEDGED": [1],
    "DROPPED": [1],
    "RATE_LIMITED": [b"PERSON", 1_000],
    "count_call RATE_LIMITED": [1_000],
    "CONCERTS": [CONCERT.id.encode()],
    "LOGIN_SESSION": [b"sealed"],
    "take_issuer_code TAKEN": [b"record"],
    "REPLAYED": [b"record"],
}
"""The rest of a reply, by word; `script WORD` takes precedence over `WORD`."""

BEFORE: dict[Script, tuple[Script, str, Any]] = {
    scripts.READ_CHANGES: (
        scripts.READ_SNAPSHOT,
        "SNAPSHOT",
        [QUEUE, STOCK, [1, 1, 0, *[ALICE.encode(), 1] * CHANGES_PAGE_SIZE]],
    ),
}
"""The script called before each key, and its reply: a full page, so more changes are read."""


class FakeClient:
    """Replies to one script with one word, and to the script called before it as in `BEFORE`.

    All other scripts are unavailable.
    """

    def __init__(self, script: Script, word: str) -> None:
        self._script = script
        self._word = word

    async def call(self, script: Script, concert_id: ConcertId, *args: object) -> tuple[str, Reply]:
        return await self.call_with_keys(script, (), *args)

    async def send_for(self, concert_id: ConcertId, script: Script, args: object, *, units: int) -> list[Any]:
        word, rest = await self.call(script, concert_id)
        return [word.encode(), *rest]

    async def run_command(self, *command: str) -> Reply:
        return [self._word.encode()]

    async def call_with_keys(self, script: Script, keys: tuple[str, ...], *args: object) -> tuple[str, Reply]:
        if script is not self._script:
            before, word, rest = BEFORE.get(self._script, (None, "", []))
            if script is not before:
                raise TemporarilyUnavailable("another script")
            return word, list(rest)
        return self._word, list(AFTER_WORD.get(f"{script.name} {self._word}", AFTER_WORD.get(self._word, [])))


class FakeRecovery:
    async def refusal_for(self, concert_id: ConcertId, word: str) -> OnsaleError:
        return TemporarilyUnavailable(word)


def holds(client: Any) -> HoldStore:
    return HoldStore(GuardedClient(client, FakeRecovery()))


def queues(client: Any) -> QueueStore:
    return QueueStore(GuardedClient(client, FakeRecovery()))


def snapshots(client: Any) -> SnapshotStore:
    return SnapshotStore(GuardedClient(client, FakeRecovery()))


async def read_dead_letters(client: Any) -> None:
    async for _ in EventStore(client).dead_letters(CONCERT.id):
        pass


CALLS: dict[Script, Call] = {
    scripts.HOLD_TICKETS: lambda client: holds(client).hold(
        CONCERT.id, ID, [TicketRequest(TIER, 1)], person_id=ALICE, digest=DIGEST, rates=RATES
    ),
    scripts.RELEASE_HOLD: lambda client: holds(client).release(CONCERT.id, ID, person_id=ALICE),
    scripts.BEGIN_PURCHASE: lambda client: holds(client).begin_purchase(
        CONCERT.id, ID, person_id=ALICE, purchase_key=KEY, digest=DIGEST, rates=RATES
    ),
    scripts.READ_HOLDS: lambda client: holds(client).get(CONCERT.id, ID),
    scripts.READ_PERSON: lambda client: holds(client).list_for_person(CONCERT.id, ALICE),
    scripts.READ_STOCK: lambda client: holds(client).read_stock(CONCERT),
    scripts.JOIN_QUEUE: lambda client: queues(client).join(CONCERT.id, ALICE, rates=RATES),
    scripts.LEAVE_QUEUE: lambda client: queues(client).leave(CONCERT.id, ALICE),
    scripts.HEARTBEAT: lambda client: queues(client).heartbeat(CONCERT.id, ALICE),
    scripts.CLAIM_PASS: lambda client: queues(client).claim(CONCERT.id, ALICE),
    scripts.ADMIT_NEXT: lambda client: queues(client).admit_next(CONCERT.id, command_key=KEY, digest=DIGEST, count=1),
    scripts.READ_ROOM: lambda client: queues(client).read_room(CONCERT.id),
    scripts.READ_QUEUE: lambda client: queues(client).read_queue(CONCERT.id),
    scripts.READ_ENTRIES: lambda client: queues(client).read_entries(CONCERT.id, [ALICE]),
    scripts.READ_POSITION: lambda client: queues(client).read_position(CONCERT.id, ALICE),
    scripts.READ_SNAPSHOT: lambda client: snapshots(client).read(CONCERT.id, after=0),
    scripts.READ_CHANGES: lambda client: snapshots(client).read(CONCERT.id, after=0),
    scripts.SYNC_PRESENCE: lambda client: queues(client).sync_presence(CONCERT.id, "process"),
    scripts.ADD_PERSON_CONCERT: lambda client: PersonConcerts(client).add(ALICE, CONCERT.id, expires_at=NOW),
    scripts.READ_PERSON_CONCERTS: lambda client: PersonConcerts(client).list(ALICE),
    scripts.COUNT_CALL: lambda client: CallCounter(client).count("logins", "203.0.113.7", RATE),
    scripts.READ_LOGIN_SESSION: lambda client: LoginSessions(client).read(DIGEST),
    scripts.WRITE_LOGIN_SESSION: lambda client: LoginSessions(client).replace(DIGEST, b"", expires_at=1.0),
    scripts.DELETE_LOGIN_SESSION: lambda client: LoginSessions(client).delete(DIGEST),
    scripts.CLAIM_LOGIN_RENEWAL: lambda client: LoginSessions(client).claim_renewal(DIGEST, gap_s=1.0),
    scripts.ADD_ISSUER_CODE: lambda client: IssuerLogins(client).add_code(DIGEST, b"record", lasts_s=1),
    scripts.TAKE_ISSUER_CODE: lambda client: IssuerLogins(client).take_code(DIGEST, kept_s=1),
    scripts.END_ISSUER_SESSION: lambda client: IssuerLogins(client).end("session", kept_s=1),
    scripts.FIND_ENDED_SESSION: lambda client: IssuerLogins(client).has_ended("session", "token"),
    scripts.CLAIM_STORE: lambda client: HotStoreCheck(client, "redis://any", declares_noeviction=False).claim(
        KEY, within_s=60
    ),
    scripts.READ_STORE: read_redis_state,
    scripts.APPLY_CONCERT: lambda client: HotState(client).apply_concert(CONCERT),
    scripts.RECORD_ORDER: lambda client: HotState(client).record_order(ORDER),
    scripts.TAKE_AGAIN: lambda client: HotState(client).take_again(ORDER, starts_at=NOW),
    scripts.LOWER_CAPACITY: lambda client: HotState(client).lower_capacity(
        CONCERT, CONCERT.tiers, proposal=KEY, is_large=False
    ),
    scripts.DROP_PROPOSAL: lambda client: HotState(client).drop_proposal(CONCERT.id, KEY),
    scripts.FIND_FREE_UNITS: lambda client: HotState(client).find_free_units(CONCERT.id, TIER, limit=1),
    scripts.EXPIRE_HOLDS: lambda client: HotState(client).expire_holds(CONCERT.id, limit=1),
    scripts.FIND_OVERDUE: lambda client: HotState(client).find_overdue_purchases(CONCERT.id, limit=1),
    scripts.VOID_HOLD: lambda client: HotState(client).void_hold(CONCERT.id, ID),
    scripts.FIND_UNRECORDED: lambda client: HotState(client).find_unrecorded(CONCERT.id, [(ORDER.id, 1)]),
    scripts.ADMIT: lambda client: HotState(client).run_admission(CONCERT.id, bound=1),
    scripts.FREEZE_QUEUE: lambda client: HotState(client).freeze_queue(CONCERT.id, 1),
    scripts.OPEN_QUEUE: lambda client: HotState(client).open_queue(CONCERT.id, 1, Permutation(b"", b"")),
    scripts.MARK_RECOVERY: lambda client: HotState(client).mark_recovery(CONCERT.id, 1),
    scripts.DISTRUST: lambda client: HotState(client).distrust(CONCERT.id, 1, from_scratch=False),
    scripts.FINISH_RECOVERY: lambda client: HotState(client).finish_recovery(CONCERT.id, 1),
    scripts.CLAIM_EVENTS: lambda client: EventStore(client).claim(CONCERT.id, "group", limit=1),
    scripts.ACKNOWLEDGE_EVENTS: lambda client: EventStore(client).acknowledge(CONCERT.id, "group", ["1-0"]),
    scripts.FAIL_EVENT: lambda client: EventStore(client).record_failure(CONCERT.id, "group", EVENT, "why"),
    scripts.RETURN_EVENTS: lambda client: EventStore(client).return_events(CONCERT.id, "group", [EVENT]),
    scripts.READ_DEAD_LETTERS: read_dead_letters,
    scripts.DROP_DEAD_LETTERS: lambda client: EventStore(client).drop_dead_letters(CONCERT.id, ["1-0"]),
}
"""The method that calls each script."""


@pytest.mark.parametrize(
    ("script", "word"),
    [(script, word) for script in scripts.ALL for word in sorted(script.replies)],
    ids=lambda part: part.name if isinstance(part, Script) else part,
)
async def test_every_declared_word_has_a_branch(script: Script, word: str) -> None:
    with contextlib.suppress(OnsaleError, OrderExists, LeaseExpired, ProofMissing):
        await CALLS[script](FakeClient(script, word))


@pytest.mark.parametrize("script", scripts.ALL, ids=lambda script: script.name)
async def test_word_without_a_branch_raises_script_reply_error(script: Script) -> None:
    with pytest.raises(ScriptReplyError, match=f"{script.name} answered 'NEW_WORD'"):
        await CALLS[script](FakeClient(script, "NEW_WORD"))


def matches_on_words(path: Path) -> Iterator[ast.Match]:
    """Yield the `match` statements that have a reply word as a pattern."""
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


@pytest.mark.parametrize("package", ["storage", "workers", "resolvers"])
def test_every_match_on_reply_words_ends_by_raising_script_reply_error(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in matches_on_words(path)
        if not raises_script_reply_error(node.cases[-1])
    ]
    assert wrong == []
