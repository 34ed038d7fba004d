"""The Lua scripts: their source, arguments and replies. A unit test compares the arguments and
replies with the headers of the scripts.

A script is `lua/<name>.lua`, preceded by the `lua/lib/` parts that its `-- @include` line names.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources

_FOLDER = resources.files("storage") / "lua"
_COPYING = frozenset({"apply_concert", "record_order", "find_unrecorded"})
_INCLUDE = re.compile(r"^-- @include (.+)$", re.MULTILINE)


class ScriptReplyError(RuntimeError):
    """A script replied with a word that is not declared here or that its caller does not handle."""

    def __init__(self, script: str, word: str) -> None:
        super().__init__(
            f"script {script} answered {word!r}; declare the word in storage/scripts.py and handle it where it is read"
        )


@dataclass(frozen=True, slots=True)
class Script:
    """A script, its arguments, and the words with which its replies begin.

    `args` lists the arguments in the order of ARGV; a name with a star stands for all the remaining
    ones. The script client inserts `incarnation`.
    """

    name: str
    args: tuple[str, ...]
    replies: frozenset[str]
    source: str = field(init=False, repr=False)
    sha: str = field(init=False, repr=False)
    takes_incarnation: bool = field(init=False, repr=False)
    takes_calls: bool = field(init=False, repr=False)
    """Whether one run handles several calls. Its reply is then a list of their replies."""
    _words: Mapping[bytes, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        source = load(self.name)
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "sha", hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())
        object.__setattr__(self, "takes_incarnation", self.args[:1] == ("incarnation",))
        object.__setattr__(self, "takes_calls", self.args[-1:] == ("call*",))
        object.__setattr__(self, "_words", {word.encode(): word for word in self.replies})

    def decode_word(self, word: bytes) -> str:
        """Return the first word of a reply. Raises ScriptReplyError if it is not declared here."""
        decoded = self._words.get(word)
        if decoded is None:
            raise ScriptReplyError(self.name, word.decode())
        return decoded

    def is_for_recovery(self, args: Sequence[object]) -> bool:
        """Return whether a call with these arguments belongs to a recovery, which passes its epoch,
        or only copies from MongoDB what every store may have.
        """
        if self.name in _COPYING:
            return True
        names = self.args[1:] if self.takes_incarnation else self.args
        return "epoch" in names and args[names.index("epoch")] != ""


def load(name: str) -> str:
    """Return the source of a script, preceded by the parts that it includes."""
    text = (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")
    include = _INCLUDE.search(text)
    parts = include.group(1).split() if include else []
    return "".join((_FOLDER / "lib" / f"{part}.lua").read_text(encoding="utf-8") for part in parts) + text


def _script(name: str, args: str, replies: str) -> Script:
    return Script(name, tuple(args.split()), frozenset(replies.split()))


APPLY_CONCERT = _script("apply_concert", "version expire_at_ms settings tier*", "APPLIED CURRENT LOST UNDECIDED")
HOLD_TICKETS = _script(
    "hold_tickets",
    "incarnation call*",
    "HOLD CONFLICT RATE_LIMITED NOT_ON_SALE NOT_ADMITTED UNKNOWN_TIER ORDER_LIMIT PERSON_LIMIT TIER_REFUSED SOLD_OUT"
    " UNKNOWN RECOVERING",
)
RELEASE_HOLD = _script(
    "release_hold", "incarnation hold_id person reason", "HOLD NO_HOLD BUYING ORDERED UNKNOWN RECOVERING"
)
BEGIN_PURCHASE = _script(
    "begin_purchase",
    "incarnation hold_id person purchase_key digest address rates",
    "BUYING PASS_BOUND ORDERED ENDED NO_HOLD CONFLICT RATE_LIMITED UNKNOWN RECOVERING",
)
RECORD_ORDER = _script(
    "record_order",
    "incarnation epoch order_id person order_version stock_state origin pay_until_ms units*",
    "RECORDED KNOWN UNKNOWN RECOVERING",
)
TAKE_AGAIN = _script(
    "take_again",
    "incarnation order_id person order_version origin starts_ms",
    "TAKEN SOLD_OUT PERSON_LIMIT OVER STALE UNKNOWN RECOVERING",
)
LOWER_CAPACITY = _script(
    "lower_capacity",
    "incarnation version proposal is_large tier*",
    "CAPPED IN_USE BEHIND STALE TOO_SOON UNKNOWN_TIER UNKNOWN RECOVERING",
)
DROP_PROPOSAL = _script("drop_proposal", "incarnation proposal", "DROPPED NO_PROPOSAL UNKNOWN RECOVERING")
FIND_FREE_UNITS = _script("find_free_units", "incarnation epoch tier limit", "UNITS UNKNOWN_TIER UNKNOWN RECOVERING")
EXPIRE_HOLDS = _script("expire_holds", "incarnation limit", "EXPIRED UNKNOWN RECOVERING")
FIND_OVERDUE = _script("find_overdue", "incarnation limit", "OVERDUE UNKNOWN RECOVERING")
VOID_HOLD = _script("void_hold", "incarnation hold_id", "VOIDED NO_HOLD UNKNOWN RECOVERING")
MARK_RECOVERY = _script("mark_recovery", "incarnation epoch patience_ms", "MARKED TRUSTED BUSY STALE UNKNOWN")
DISTRUST = _script("distrust", "epoch from_scratch", "DISTRUSTED STALE UNKNOWN")
FINISH_RECOVERY = _script("finish_recovery", "incarnation epoch", "RECOVERED RECOVERING UNKNOWN")
READ_STOCK = _script("read_stock", "incarnation", "STOCK UNKNOWN RECOVERING")
READ_HOLDS = _script("read_holds", "incarnation hold_ids*", "HOLDS UNKNOWN RECOVERING")
READ_PERSON = _script("read_person", "incarnation person", "PERSON UNKNOWN RECOVERING")
FIND_UNRECORDED = _script("find_unrecorded", "incarnation order_id*", "UNRECORDED UNKNOWN RECOVERING")
JOIN_QUEUE = _script(
    "join_queue",
    "incarnation person address rates proof_ms traceparent",
    "ENTRY NOT_OPEN CHALLENGE_REQUIRED RATE_LIMITED UNKNOWN RECOVERING",
)
LEAVE_QUEUE = _script("leave_queue", "incarnation person traceparent", "ENTRY NO_ENTRY UNKNOWN RECOVERING")
HEARTBEAT = _script("heartbeat", "incarnation person", "ENTRY NO_ENTRY UNKNOWN RECOVERING")
CLAIM_PASS = _script("claim_pass", "incarnation person traceparent", "ENTRY NOT_CALLED NO_ENTRY UNKNOWN RECOVERING")
ADMIT = _script("admit", "incarnation bound", "RAN UNKNOWN RECOVERING")
ADMIT_NEXT = _script(
    "admit_next", "incarnation command_key digest most", "CALLED REPEAT CONFLICT NOT_OPEN UNKNOWN RECOVERING"
)
FREEZE_QUEUE = _script("freeze_queue", "incarnation round", "FROZEN OPEN TOO_EARLY STALE UNKNOWN RECOVERING")
OPEN_QUEUE = _script(
    "open_queue", "incarnation epoch round registrations ranks lot_order", "OPENED OPEN STALE UNKNOWN RECOVERING"
)
SYNC_PRESENCE = _script(
    "sync_presence", "incarnation process lease_ms is_known person*", "SYNCED LEASE_EXPIRED UNKNOWN RECOVERING"
)
READ_ROOM = _script("read_room", "incarnation", "ROOM UNKNOWN RECOVERING")
READ_QUEUE = _script("read_queue", "incarnation", "QUEUE UNKNOWN RECOVERING")
READ_ENTRIES = _script("read_entries", "incarnation people*", "ENTRIES UNKNOWN RECOVERING")
READ_POSITION = _script("read_position", "incarnation person", "ENTRY NO_ENTRY UNKNOWN RECOVERING")
READ_SNAPSHOT = _script("read_snapshot", "incarnation version limit", "SNAPSHOT UNKNOWN RECOVERING")
READ_CHANGES = _script("read_changes", "incarnation version limit", "CHANGES UNKNOWN RECOVERING")
CLAIM_EVENTS = _script("claim_events", "group limit after max_tries max_dead_letters", "EVENTS")
ACKNOWLEDGE_EVENTS = _script("acknowledge_events", "group id*", "ACKNOWLEDGED")
FAIL_EVENT = _script(
    "fail_event", "group id tries error max_tries max_dead_letters", "RETRY_LATER DEAD_LETTERED FULL NOT_PENDING"
)
RETURN_EVENTS = _script("return_events", "group id*", "RETURNED")
READ_DEAD_LETTERS = _script("read_dead_letters", "after limit", "DEAD_LETTERS")
DROP_DEAD_LETTERS = _script("drop_dead_letters", "id*", "DROPPED")
ADD_PERSON_CONCERT = _script("add_person_concert", "concert expire_at_ms limit", "ADDED")
READ_PERSON_CONCERTS = _script("read_person_concerts", "limit", "CONCERTS")
COUNT_CALL = _script("count_call", "count window_ms", "ALLOWED RATE_LIMITED")
READ_LOGIN_SESSION = _script("read_login_session", "", "LOGIN_SESSION NO_LOGIN_SESSION")
WRITE_LOGIN_SESSION = _script("write_login_session", "sealed expire_at_ms is_new", "WRITTEN NO_LOGIN_SESSION")
DELETE_LOGIN_SESSION = _script("delete_login_session", "", "DELETED")
ADD_ISSUER_CODE = _script("add_issuer_code", "record lasts_ms", "ADDED")
TAKE_ISSUER_CODE = _script("take_issuer_code", "taker kept_ms", "TAKEN REPLAYED NO_CODE")
END_ISSUER_SESSION = _script("end_issuer_session", "id kept_ms most", "ENDED")
FIND_ENDED_SESSION = _script("find_ended_session", "id*", "ENDED ACTIVE")
CLAIM_STORE = _script("claim_store", "deployment lasts_ms channel layout", "WRITTEN CLAIMED OTHER NEWER")
READ_STORE = _script("read_store", "", "STORE")
CLAIM_LOGIN_RENEWAL = _script("claim_login_renewal", "claimer gap_ms", "CLAIMED TAKEN")

ALL = tuple(value for value in list(globals().values()) if isinstance(value, Script))
