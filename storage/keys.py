"""Every Redis key in use. All keys of a concert share one hash tag, so one script can use them.

state               hash    incarnation, epoch, version, clock, settings copied from MongoDB,
                            serving number and tail of the queue, the highest entry id that ended
                            with each sale, whether the sale ended before the concert was canceled,
                            whether a hint was published that no process has acted on yet, and
                            proposed lower capacities
tiers               hash    <tier>|top, next, held, sold, withdrawn, price, capacity, rules (JSON)
units               hash    unit -> hold id, or `=` and the order id once the order is recorded,
                            paid or not; a free unit has no field
free                zset    returned units, all with score 0; units that were never taken are
                            `next`..`top`
holds               hash    hold id -> record (JSON); ended holds are kept for replays
deadlines           zset    hold id -> deadline, unix ms; HELD only
buying              zset    hold id -> time at which to settle it, unix ms; BUYING without a
                            recorded order only
people              hash    person -> counts of held and owned units, and ids of active holds (JSON)
purchases           hash    fingerprint of an idempotency key -> digest of the input sent with it
changes             zset    person -> version at which one of their entries or holds last changed
entries             hash    person -> their latest queue entry (JSON)
waiters             hash    entry id -> person; waiting entries only
departed            string  one bit per number, at base + number: set if its entry ended before it
                            was called, or if it was called out of order
slots               zset    person -> end of their call or pass, unix ms; READY and ADMITTED
presence_deadlines  zset    person -> time until which they count as present, unix ms; only for
                            waiting people without a connection
leases              zset    process -> time until which its presence reports count, unix ms
connections         zset    process|person, all with score 0: the process has a connection to the
                            person
admissions          hash    unix second -> how many people were called in it
ranks               string  four bytes per lot: the number it drew in this round's lottery
lot_order           string  four bytes per number: the lot that drew it
flow                hash    counts of events in the waiting room: <name> for the round, and
                            <name>|<slice> for each ten seconds of the last five minutes
events              stream  events of the queue; removed once every consumer group has acknowledged
                            them
deadletters         stream  events that a consumer group could not handle
commands            hash    fingerprint of an organizer's command -> digest of its input and its
                            result
rates               zset    <call>|p|<person> or <call>|a|<address> -> time at which the whole burst
                            is allowed again, unix µs

Each key expires 30 days after the concert starts or its sale ends, whichever is later; the expiry
worker sets the time. Other keys:

rate                string  one per call and address outside concerts, such as logins: time at which
                            the whole burst is allowed again; expires then
concerts            zset    one per person: concert at which they may have an entry or a hold ->
                            time at which its keys expire
session             string  a browser's login session, encrypted; named by the hash of its
                            cookie; expires with the login
renewal             string  the attempt that may renew a login session; expires after ten seconds
code                hash    an authorization code of the development issuer, named by its hash: what
                            it was issued for (JSON), and the attempt that took it; expires after a
                            minute, or half an hour after it was taken
ended_sessions      zset    sessions and tokens that have ended at the development issuer -> time
                            until which they are remembered, unix ms; expires with the last one
probe               string  the last write of a readiness check; expires after a minute
deployment          string  the deployment that uses this store, as the last readiness check wrote
                            it; expires after a minute
layout              string  the number of the layout in which this store's data is written

Only `layout` is permanent. Each concert has a `hints` channel. The `work` channel carries the ids
of concerts that have new work for the workers, the `revocations` channel announces that a session
has ended, and the `payment_events` channel announces that the payment inbox has new events. Nothing
listens on the `readiness` channel.
"""

from functools import lru_cache

from domain.ids import ConcertId, PersonId

KINDS = (
    "state",
    "tiers",
    "units",
    "free",
    "holds",
    "deadlines",
    "buying",
    "people",
    "purchases",
    "changes",
    "entries",
    "waiters",
    "departed",
    "slots",
    "presence_deadlines",
    "leases",
    "connections",
    "admissions",
    "ranks",
    "lot_order",
    "flow",
    "events",
    "deadletters",
    "commands",
    "rates",
)
"""The order in which every script for a concert receives its KEYS."""

WORK_CHANNEL = "onsale2:work"
REVOCATIONS_CHANNEL = "onsale2:revocations"
PAYMENT_EVENTS_CHANNEL = "onsale2:payment_events"
EFFECTS_CHANNEL = "onsale2:effects"

ENDED_SESSIONS_KEY = "onsale2:{issuer}:ended_sessions"

READINESS_CHANNEL = "onsale2:readiness"
DEPLOYMENT_KEY = "onsale2:{store}:deployment"
LAYOUT_KEY = "onsale2:{store}:layout"
READINESS_KEYS = ("onsale2:{store}:probe", DEPLOYMENT_KEY, LAYOUT_KEY)
READINESS_LASTS_MS = 60_000
"""How long the record of a deployment is kept after its last check."""

PERMANENT_KEYS = frozenset({LAYOUT_KEY})
_CONCERT_TAG = "{c:"


@lru_cache(maxsize=2_000)
def concert_keys(concert_id: ConcertId) -> tuple[str, ...]:
    return tuple(f"onsale2:{_CONCERT_TAG}{concert_id}}}:{kind}" for kind in KINDS)


def concert_of_key(key: str) -> ConcertId | None:
    """Return the concert to which a key belongs, or None if it belongs to none."""
    _, is_concert, rest = key.partition(_CONCERT_TAG)
    return ConcertId(rest.partition("}")[0]) if is_concert else None


def hints_channel(concert_id: ConcertId) -> str:
    return f"onsale2:{_CONCERT_TAG}{concert_id}}}:hints"


def rate_key(call: str, subject: str) -> str:
    return f"onsale2:{{rate:{subject}}}:{call}"


def person_concerts_key(person_id: PersonId) -> str:
    return f"onsale2:{{p:{person_id}}}:concerts"


def login_session_keys(digest: str) -> tuple[str, str]:
    """Return the keys of the login session whose cookie has this SHA-256 hash."""
    return f"onsale2:{{login:{digest}}}:session", f"onsale2:{{login:{digest}}}:renewal"


def issuer_code_key(digest: str) -> str:
    """Return the key of the development issuer's code with this SHA-256 hash."""
    return f"onsale2:{{code:{digest}}}:code"
