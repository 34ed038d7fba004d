"""Every Redis key of Onsale. All keys of a concert share one hash tag, so a script may name them together.

state      hash    incarnation, epoch, version, clock, settings copied from MongoDB
tiers      hash    <tier>|top, next, held, sold, withdrawn, price
units      hash    unit -> hold id, or `=` and order id once recorded; a free unit has no field
free       zset    units that came back, all with score 0; never-given ones are `next`..`top`
holds      hash    hold id -> record (JSON); ended ones stay for replays
deadlines  zset    hold id -> deadline, unix ms; HELD only
buying     zset    hold id -> when to settle, unix ms; BUYING only
people     hash    person -> what they hold and own, and their living holds (JSON)
purchases  hash    fingerprint of an idempotency key -> digest of the input it came with

Each expires 30 days after the concert's end, by the next run of the expiry worker; none is permanent.
"""

from domain.ids import ConcertId

KINDS = ("state", "tiers", "units", "free", "holds", "deadlines", "buying", "people", "purchases")
"""The order in which every script gets its KEYS."""

PERMANENT_KEYS: frozenset[str] = frozenset()


def concert_keys(concert_id: ConcertId) -> tuple[str, ...]:
    return tuple(f"onsale:{{c:{concert_id}}}:{kind}" for kind in KINDS)
