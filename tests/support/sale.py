"""A sale on real stores for tests: a concert on sale, people who ask, and what must hold whatever happened."""

import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import redis.asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auth.passes import PassSigner
from auth.viewer import Role, Viewer
from domain.concerts import Concert, ConcertDraft, ConcertTerms, TierDraft, Venue
from domain.holds import Hold, TicketRequest
from domain.ids import PersonId
from domain.money import CurrencyCode
from domain.orders import Customer, Order, OrderStatus
from resolvers import concerts, holds, orders
from resolvers.context import Context
from storage.connect import Stores, open_stores
from storage.keys import KINDS, concert_keys
from tests.support.waiting import wait_until

PASSES = PassSigner(Ed25519PrivateKey.generate())
CUSTOMER = Customer("Ada Lovelace", "ada@example.org")


def draft(*capacities: int, **changes: Any) -> ConcertDraft:
    """A concert on sale now, with a tier for each capacity; `changes` replace fields."""
    now = datetime.now(UTC).replace(microsecond=0)
    made = ConcertDraft(
        terms=ConcertTerms(
            name="Goldberg Variations",
            venue=Venue("Concertgebouw", "Amsterdam", "NL"),
            description="An aria and what becomes of it.",
            starts_at=now + timedelta(days=30),
            sales_start_at=now - timedelta(hours=1),
            sales_end_at=now + timedelta(days=29),
            limit_per_order=10,
            limit_per_person=10,
            hold_duration_ms=600_000,
        ),
        currency=CurrencyCode.EUR,
        tiers=tuple(
            TierDraft(f"Tier {number}", 2_500 * number, capacity) for number, capacity in enumerate(capacities, 1)
        ),
    )
    return changed(made, **changes)


def changed(made: ConcertDraft, **changes: Any) -> ConcertDraft:
    """Replace fields of a draft, those of its terms included."""
    names = {field.name for field in fields(ConcertTerms)}
    terms = {name: value for name, value in changes.items() if name in names}
    rest = {name: value for name, value in changes.items() if name not in names}
    return replace(made, terms=replace(made.terms, **terms), **rest)


def viewer(name: str, *roles: Role) -> Viewer:
    return Viewer(PersonId(name), name, f"{name}@example.org", frozenset(roles or {Role.CUSTOMER}))


def context(stores: Stores, name: str = "alice", *roles: Role) -> Context:
    return Context(stores, PASSES, viewer(name, *roles), "test-request")


def organizer(stores: Stores) -> Context:
    return context(stores, "olivia", Role.ORGANIZER)


def key() -> str:
    return secrets.token_hex(8)


@asynccontextmanager
async def opened(redis_url: str, mongo_url: str, database: str) -> AsyncIterator[Stores]:
    async with open_stores(redis_url, mongo_url, database) as stores:
        await wait_until(lambda: _is_ready(stores), timeout=20, what="the stores")
        yield stores


async def make_overdue(stores: Stores, made: Hold) -> None:
    """As if the purchase had been begun a minute ago."""
    await stores.script_client.run_command(
        "ZADD", concert_keys(made.concert_id)[KINDS.index("buying")], "XX", "1", made.id
    )


async def _is_ready(stores: Stores) -> bool:
    return await stores.problems() == []


async def on_sale(stores: Stores, *capacities: int, **changes: Any) -> Concert:
    made = await concerts.create_concert(organizer(stores), draft(*capacities, **changes))
    await concerts.publish_concert(organizer(stores), made.id)
    published = await stores.concerts.get(made.id)
    assert published is not None
    return published


def lines(concert: Concert, *quantities: int) -> tuple[TicketRequest, ...]:
    """A line for each tier with a quantity above 0, in order."""
    pairs = zip(concert.tiers, quantities, strict=False)
    return tuple(TicketRequest(tier.id, quantity) for tier, quantity in pairs if quantity)


async def hold(stores: Stores, concert: Concert, *quantities: int, who: str = "alice", with_key: str = "") -> Hold:
    return await holds.hold_tickets(context(stores, who), concert.id, lines(concert, *quantities), with_key or key())


async def buy(stores: Stores, made: Hold, *, with_key: str = "") -> Order:
    asking = context(stores, made.person_id)
    return await orders.purchase_hold(asking, made.concert_id, made.id, CUSTOMER, with_key or key())


async def stock(stores: Stores, concert: Concert) -> list[tuple[int, int, int]]:
    """(available, held, sold) of each tier."""
    counted = await stores.holds.read_stock(concert.id)
    return [(tier.available, tier.held, tier.sold) for tier in counted.tiers]


async def all_orders(stores: Stores, concert: Concert) -> list[Order]:
    return [order async for order in stores.orders.iterate_concert(concert.id)]


async def check_invariants(stores: Stores, concert: Concert) -> None:
    """What must hold whatever happened, read from both stores behind the product's back."""
    recorded = await all_orders(stores, concert)
    units = Counter(unit for order in recorded for unit in order.units)
    assert [unit for unit, count in units.items() if count > 1] == []
    client = redis.asyncio.Redis(connection_pool=stores.script_client._pool)
    state = {kind: await _dump(client, name) for kind, name in zip(KINDS, concert_keys(concert.id), strict=True)}
    owners: dict[str, str] = state["units"]
    assert {unit for unit, owner in owners.items() if owner.startswith("=")} == set(units)
    assert not set(owners) & set(state["free"]), "a unit is both free and taken"
    _check_records(state)
    await _check_counters(stores, concert, state, recorded)


def _check_records(state: dict[str, dict[str, str]]) -> None:
    """Holds, units, people and deadlines say the same of each other."""
    owners, living = state["units"], {"HELD": set[str](), "BUYING": set[str]()}
    counts: dict[str, Counter[str]] = {"held": Counter(), "owned": Counter()}
    mine: dict[str, set[str]] = {}
    for id_, record in ((id_, json.loads(text)) for id_, text in state["holds"].items()):
        is_sold = record["state"] == "SOLD"
        assert {owners.get(unit) for unit in record["units"]} <= {f"={id_}" if is_sold else id_}, (id_, record)
        counts["owned" if is_sold else "held"][record["person"]] += len(record["units"])
        if record["state"] in living:
            living[record["state"]].add(id_)
            mine.setdefault(record["person"], set()).add(id_)
        elif record["state"] == "ENDED":
            assert not record["units"], (id_, record)
    assert (set(state["deadlines"]), set(state["buying"])) == (living["HELD"], living["BUYING"])
    for person, said in ((person, json.loads(text)) for person, text in state["people"].items()):
        assert (said["held"], said["owned"]) == (counts["held"][person], counts["owned"][person]), person
        assert set(said["holds"]) == mine.get(person, set()), person


async def _check_counters(
    stores: Stores, concert: Concert, state: dict[str, dict[str, str]], recorded: Sequence[Order]
) -> None:
    stored = await stores.concerts.get(concert.id)
    assert stored is not None
    for tier, counted in zip(stored.tiers, (await stores.holds.read_stock(concert.id)).tiers, strict=True):
        mine = {unit: owner for unit, owner in state["units"].items() if unit.startswith(f"{tier.id}:")}
        sold = _units(recorded, tier.id, OrderStatus.PAID)
        assert (counted.capacity, counted.sold) == (tier.capacity, sold), tier
        assert counted.held == sum(not owner.startswith("=") for owner in mine.values()), tier
        given_back = sum(unit.startswith(f"{tier.id}:") for unit in state["free"])
        never_given = int(state["tiers"][f"{tier.id}|top"]) - int(state["tiers"][f"{tier.id}|next"]) + 1
        assert counted.available == given_back + never_given, tier
        assert 0 <= counted.available <= counted.capacity, tier


def _units(recorded: Sequence[Order], tier_id: str, status: OrderStatus) -> int:
    return sum(unit.startswith(f"{tier_id}:") for o in recorded if o.status is status for unit in o.units)


async def _dump(client: "redis.asyncio.Redis", name: str) -> dict[str, str]:
    kind = text(await client.type(name))
    if kind in ("string", "stream"):
        return {}
    if kind == "zset":
        members: Any = await client.zrange(name, 0, -1, withscores=True)
        return {text(member): str(score) for member, score in members}
    return {text(field): text(value) for field, value in (await client.hgetall(name)).items()}


def text(value: Any) -> str:
    """What the store holds is bytes."""
    assert isinstance(value, bytes)
    return value.decode()
