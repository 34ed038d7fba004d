"""Checks that the orders, units, holds, people and counters of one concert agree.

Both stores are read directly, after all traffic has stopped.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from domain.concerts import Concert
from domain.orders import Order, StockState
from storage.connect import Stores
from storage.keys import KINDS, concert_keys

HASHES = ("units", "holds", "people", "tiers")
SORTED_SETS = ("free", "deadlines", "buying")

Records = Mapping[str, Mapping[str, str]]
"""For each kind of key, the fields of the hash, or the members and scores of the sorted set."""


async def find_violations(stores: Stores, concert: Concert) -> list[str]:
    orders = [order async for order in stores.orders.iterate_concert(concert.id)]
    keys = dict(zip(KINDS, concert_keys(concert.id), strict=True))
    records = {kind: await _read_pairs(stores, "HGETALL", keys[kind]) for kind in HASHES}
    for kind in SORTED_SETS:
        records[kind] = await _read_pairs(stores, "ZRANGE", keys[kind], "0", "-1", "WITHSCORES")
    counters = await _counter_violations(stores, concert, records, orders)
    return [*_unit_violations(records, orders), *_hold_violations(records), *counters]


async def _read_pairs(stores: Stores, *command: str) -> dict[str, str]:
    flat = [text.decode() for text in await stores.script_client.run_command(*command)]
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _unit_violations(records: Records, orders: Sequence[Order]) -> Iterator[str]:
    units = Counter(unit for order in orders for unit in order.units)
    yield from (f"unit {unit} is in {count} orders" for unit, count in units.items() if count > 1)
    owners = records["units"]
    sold = {unit for unit, owner in owners.items() if owner.startswith("=")}
    yield from (f"unit {unit} is in an order in only one of the stores" for unit in sold ^ set(units))
    yield from (f"unit {unit} is free but has an owner" for unit in owners.keys() & records["free"].keys())


def _hold_violations(records: Records) -> Iterator[str]:
    """Yield each violation found by comparing holds, units, people and deadlines."""
    owners = records["units"]
    by_state: dict[str, set[str]] = defaultdict(set)
    counts: dict[str, Counter[str]] = {"held": Counter(), "owned": Counter()}
    active: dict[str, set[str]] = defaultdict(set)
    for id_, hold in ((id_, json.loads(text)) for id_, text in records["holds"].items()):
        state, person = hold["state"], hold["person"]
        is_recorded = hold["order_version"] > 0
        # A purchase whose order is recorded and awaits payment does not have to be settled.
        by_state["RECORDED" if state == "BUYING" and is_recorded else state].add(id_)
        owner = f"={id_}" if is_recorded and not hold.get("is_taken_again") else id_
        yield from (
            f"hold {id_} has unit {u}, which belongs to {owners.get(u)}"
            for u in hold["units"]
            if owners.get(u) != owner
        )
        counts["owned" if state == "SOLD" else "held"][person] += len(hold["units"])
        if state in ("HELD", "BUYING"):
            active[person].add(id_)
        elif state == "ENDED" and hold["units"]:
            yield f"hold {id_} has ended but still has units {hold['units']}"
    for kind, state in (("deadlines", "HELD"), ("buying", "BUYING")):
        if records[kind].keys() != by_state[state]:
            yield f"{kind} and the holds in state {state} differ: {records[kind].keys() ^ by_state[state]}"
    for person, account in ((person, json.loads(text)) for person, text in records["people"].items()):
        if (account["held"], account["owned"]) != (counts["held"][person], counts["owned"][person]):
            yield f"{person} has {counts['held'][person]} held and {counts['owned'][person]} owned units, not {account}"
        if set(account["holds"]) != active[person]:
            yield f"{person} has the active holds {active[person]}, not {account['holds']}"


async def _counter_violations(stores: Stores, concert: Concert, records: Records, orders: Sequence[Order]) -> list[str]:
    stored = await stores.concerts.get(concert.id)
    if stored is None:
        return [f"MongoDB has no concert {concert.id}"]
    found = []
    for tier, counted in zip(stored.tiers, (await stores.holds.read_stock(concert)).tiers, strict=True):
        prefix = f"{tier.id}:"
        of_state = {
            state: sum(
                unit.startswith(prefix) for order in orders if order.stock_state is state for unit in order.units
            )
            for state in StockState
        }
        owners = [owner for unit, owner in records["units"].items() if unit.startswith(prefix)]
        held = sum(not owner.startswith("=") for owner in owners) + of_state[StockState.BUYING]
        returned = sum(unit.startswith(prefix) for unit in records["free"])
        unassigned = int(records["tiers"][f"{tier.id}|top"]) - int(records["tiers"][f"{tier.id}|next"]) + 1
        free = returned + unassigned
        available = 0 if counted.is_withdrawn else free
        expected = (tier.capacity, available, held, of_state[StockState.SOLD])
        actual = (counted.capacity, counted.available, counted.held, counted.sold)
        if actual != expected or not 0 <= free <= counted.capacity:
            found.append(f"{tier.id}: (capacity, available, held, sold) is {actual}, but the records say {expected}")
    return found
