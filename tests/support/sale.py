"""Puts concerts on sale on real stores, holds and buys tickets, and checks the invariants."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auth.passes import PassSigner
from auth.viewer import Role, Viewer
from domain.concerts import Concert, ConcertDraft, ConcertTerms, TierDraft, Venue
from domain.errors import TemporarilyUnavailable
from domain.holds import Hold, TicketRequest
from domain.ids import PersonId
from domain.money import CurrencyCode
from domain.orders import Customer, Order
from proofs.waiting_room.invariants import find_violations
from resolvers import concerts, holds, orders
from resolvers.context import Context
from storage.connect import Stores, connect_stores, open_stores
from storage.keys import DEPLOYMENT_KEY, KINDS, concert_keys
from tests.support.databases import is_prepared
from tests.support.hot_keys import record_worker_run
from tests.support.switches import is_on
from tests.support.waiting import wait_until

PASSES = PassSigner(Ed25519PrivateKey.generate())
CUSTOMER = Customer("Ada Lovelace", "ada@example.org")


def draft(*capacities: int, price_minor: int = 0, **changes: Any) -> ConcertDraft:
    """Return a draft whose sale has started, with a tier for each capacity.

    The tickets are free, so an order needs no payment. Otherwise, the first tier costs
    `price_minor`, the second twice as much, and so on. `changes` replaces fields.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    made = ConcertDraft(
        terms=ConcertTerms(
            name="Goldberg Variations",
            venue=Venue("Concertgebouw", "Amsterdam", "NL", "Europe/Amsterdam"),
            description="An aria with thirty variations.",
            starts_at=now + timedelta(days=30),
            sales_start_at=now - timedelta(hours=1),
            sales_end_at=now + timedelta(days=29),
            limit_per_order=10,
            limit_per_person=10,
            hold_duration_ms=600_000,
        ),
        currency=CurrencyCode.EUR,
        tiers=tuple(
            TierDraft(f"Tier {number}", price_minor * number, capacity) for number, capacity in enumerate(capacities, 1)
        ),
    )
    return changed(made, **changes)


def changed(made: ConcertDraft, **changes: Any) -> ConcertDraft:
    """Replace fields of a draft and of its terms."""
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
async def opened(
    redis_url: str, mongo_url: str, database: str, *, batched_holds: bool | None = None
) -> AsyncIterator[Stores]:
    """Open the stores, and wait until they are ready.

    A prepared database has its indexes, so they are not created again. If `batched_holds` is None,
    the option of the test run decides.
    """
    batched_holds = is_on("BATCHED_HOLDS") if batched_holds is None else batched_holds
    opening = connect_stores if is_prepared(database) else open_stores
    async with opening(redis_url, mongo_url, database, batched_holds=batched_holds) as stores:
        await wait_until(lambda: is_ready(stores), what="the stores")
        yield stores


async def make_overdue(stores: Stores, made: Hold) -> None:
    """Move the start of a purchase far into the past, and apply it now."""
    await record_worker_run(stores, made.concert_id)
    await stores.script_client.run_command(
        "ZADD", concert_keys(made.concert_id)[KINDS.index("buying")], "XX", "1", made.id
    )


async def is_ready(stores: Stores) -> bool:
    """Return whether the stores are ready, although tests with other databases use this Valkey."""
    with suppress(TemporarilyUnavailable):
        await stores.script_client.run_command("DEL", DEPLOYMENT_KEY)
    return await stores.problems() == []


async def on_sale(stores: Stores, *capacities: int, **changes: Any) -> Concert:
    made = await concerts.create_concert(organizer(stores), draft(*capacities, **changes))
    await concerts.publish_concert(organizer(stores), made.id)
    published = await stores.concerts.get(made.id)
    assert published is not None
    return published


def lines(concert: Concert, *quantities: int) -> tuple[TicketRequest, ...]:
    """Return a line for each tier whose quantity is above 0, in tier order."""
    pairs = zip(concert.tiers, quantities, strict=False)
    return tuple(TicketRequest(tier.id, quantity) for tier, quantity in pairs if quantity)


async def hold(stores: Stores, concert: Concert, *quantities: int, who: str = "alice", with_key: str = "") -> Hold:
    return await holds.hold_tickets(context(stores, who), concert.id, lines(concert, *quantities), with_key or key())


async def buy(stores: Stores, made: Hold, *, with_key: str = "") -> Order:
    asking = context(stores, made.person_id)
    return await orders.purchase_hold(asking, made.concert_id, made.id, CUSTOMER, with_key or key())


async def stock(stores: Stores, concert: Concert) -> list[tuple[int, int, int]]:
    """Return (available, held, sold) for each tier."""
    counted = await stores.holds.read_stock(concert)
    return [(tier.available, tier.held, tier.sold) for tier in counted.tiers]


async def all_orders(stores: Stores, concert: Concert) -> list[Order]:
    return [order async for order in stores.orders.iterate_concert(concert.id)]


async def check_invariants(stores: Stores, concert: Concert) -> None:
    """Check that the orders, units, holds, people and counters in both stores agree."""
    assert await find_violations(stores, concert) == []
