"""Every Redis key of Onsale. All keys of a concert share one hash tag, so a script may name them together.

state       hash    incarnation, epoch, version, clock, settings copied from MongoDB, cursor and tail of the line, hints
tiers       hash    <tier>|top, next, held, sold, withdrawn, price
units       hash    unit -> hold id, or `=` and order id once recorded; a free unit has no field
free        zset    units that came back, all with score 0; never-given ones are `next`..`top`
holds       hash    hold id -> record (JSON); ended ones stay for replays
deadlines   zset    hold id -> deadline, unix ms; HELD only
buying      zset    hold id -> when to settle, unix ms; BUYING only
people      hash    person -> what they hold and own, and their living holds (JSON)
purchases   hash    fingerprint of an idempotency key -> digest of the input it came with
changes     zset    person -> version at which what is theirs changed last
entries     hash    person -> their latest entry in the line (JSON)
line        hash    place -> person, of those who wait
departed    string  a bit for each number that left, ended or was drawn out of turn, at base + number
slots       zset    person -> end of their call or pass, unix ms; READY and ADMITTED
alive       zset    person -> until when they count as there, unix ms; WAITING and spoken for by no process
leases      zset    process -> until when its word counts, unix ms
attached    zset    process|person, all with score 0: who has a socket where
admissions  hash    unix second -> how many were called in it
ranks       string  four bytes a lot: the number it drew; of this round's lottery
order       string  four bytes a number: the lot that drew it
flow        hash    what went through the room, by name; and <name>|<ten seconds> for the last five minutes
events      stream  what happened in the line; trimmed once every group has it
deadletters stream  events that a group could not handle
controls    hash    fingerprint of an organizer's command -> digest of its input and what came of it

Each expires 30 days after the concert's end, by the next run of the expiry worker. Besides:

rate        string  how often somebody did something in this window; expires with the window

None is permanent. The channel `hints` of a concert carries the name of a topic that changed, the channel `work` the id
of a concert that is not idle any more.
"""

from functools import lru_cache

from domain.ids import ConcertId

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
    "line",
    "departed",
    "slots",
    "alive",
    "leases",
    "attached",
    "admissions",
    "ranks",
    "order",
    "flow",
    "events",
    "deadletters",
    "controls",
)
"""The order in which every script of a concert gets its KEYS."""

WORK_CHANNEL = "onsale:work"

PERMANENT_KEYS: frozenset[str] = frozenset()


@lru_cache(maxsize=2_000)
def concert_keys(concert_id: ConcertId) -> tuple[str, ...]:
    return tuple(f"onsale:{{c:{concert_id}}}:{kind}" for kind in KINDS)


def hints_channel(concert_id: ConcertId) -> str:
    return f"onsale:{{c:{concert_id}}}:hints"


def rate_key(what: str, who: str) -> str:
    return f"onsale:{{rate:{who}}}:{what}"
