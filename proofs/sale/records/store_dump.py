"""Reads the records of one concert directly from both stores and the bank, not through the API.

From MongoDB, it reads the concert and its orders. From Redis, it reads the owner of each unit, the
free units, and the separate counters, so that units and counters can be compared.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from redis.asyncio import Redis

from domain.concerts import Concert
from domain.ids import ConcertId, OrderId, TierId, Unit
from domain.orders import Order, OrderStatus
from storage.keys import KINDS, concert_keys
from storage.mongo.client import Database
from storage.mongo.concerts import ConcertStore
from storage.mongo.orders import OrderStore


@dataclass(frozen=True, slots=True)
class TierCounters:
    top: int
    next: int
    """The lowest unit number that has never been assigned."""
    held: int
    sold: int
    withdrawn: int


@dataclass(frozen=True, slots=True)
class Account:
    """The counts that Redis keeps for one person to enforce the limits."""

    held: int
    owned: int


@dataclass(frozen=True, slots=True)
class StoreDump:
    concert: Concert
    orders: tuple[Order, ...]
    """All orders in MongoDB, including those that ended unpaid."""
    tiers: Mapping[TierId, TierCounters]
    owners: Mapping[Unit, str]
    """For each unit that is not free, the id of its hold, or `=` and the id of its order."""
    free: tuple[Unit, ...]
    hold_states: Mapping[str, str]
    people: Mapping[str, Account]
    bank_minor: Mapping[OrderId, int]
    """The money that the bank has kept for each order, by its id."""

    @property
    def sold_orders(self) -> tuple[Order, ...]:
        return tuple(order for order in self.orders if order.status in _SOLD)


_SOLD = frozenset({OrderStatus.PAID, OrderStatus.FULFILLED})


class StoreDumpMissing(RuntimeError):
    """Raised if a store does not answer or does not have the concert."""


async def read_store_dump(
    redis: Redis, mongo: Database, concert_id: ConcertId, *, bank_minor: Mapping[OrderId, int]
) -> StoreDump:
    """Return the records of a concert; `redis` must be configured to decode responses.

    Raises StoreDumpMissing.
    """
    concert = await ConcertStore(mongo).get(concert_id)
    if concert is None:
        raise StoreDumpMissing(f"MongoDB has no concert {concert_id}")
    orders = tuple([order async for order in OrderStore(mongo).iterate_concert(concert_id)])
    keys = dict(zip(KINDS, concert_keys(concert_id), strict=True))
    tiers = await _hash(redis, keys["tiers"])
    units = await _hash(redis, keys["units"])
    holds = await _hash(redis, keys["holds"])
    people = await _hash(redis, keys["people"])
    free = await redis.execute_command("ZRANGE", keys["free"], 0, -1)
    return StoreDump(
        concert=concert,
        orders=orders,
        tiers={tier.id: _counters(tiers, tier.id) for tier in concert.tiers},
        owners={Unit(unit): owner for unit, owner in units.items()},
        free=tuple(Unit(unit) for unit in free),
        hold_states={id_: json.loads(record)["state"] for id_, record in holds.items()},
        people={id_: _account(record) for id_, record in people.items()},
        bank_minor=bank_minor,
    )


async def all_holds_ended(redis: Redis, concert_id: ConcertId) -> bool:
    """Return whether every hold of the concert has ended or become an order."""
    keys = dict(zip(KINDS, concert_keys(concert_id), strict=True))
    held = await redis.execute_command("ZCARD", keys["deadlines"])
    buying = await redis.execute_command("ZCARD", keys["buying"])
    # Tickets whose payment is pending count as held, too.
    counted = [int(count) for name, count in (await _hash(redis, keys["tiers"])).items() if name.endswith("|held")]
    return int(held) + int(buying) + sum(counted) == 0


async def _hash(redis: Redis, key: str) -> dict[str, str]:
    fields: dict[str, str] = await redis.execute_command("HGETALL", key)
    return fields


def _counters(fields: Mapping[str, str], tier: TierId) -> TierCounters:
    """Return the counters of a tier. A missing counter raises KeyError; it does not count as 0."""
    read = {name: int(fields[f"{tier}|{name}"]) for name in ("top", "next", "held", "sold", "withdrawn")}
    return TierCounters(**read)


def _account(record: str) -> Account:
    fields = json.loads(record)
    return Account(fields["held"], fields["owned"])
