"""Creates the concert of the proof and buys tickets for it, through the resolvers."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auth.passes import PassSigner
from auth.viewer import Role, Viewer
from bench.clients.catalog import free_concert
from domain.concerts import Concert
from domain.holds import TicketRequest
from domain.ids import PersonId
from domain.orders import Customer
from domain.queues import RoomSettings
from proofs.wait_until import wait_until
from resolvers import concerts, holds, orders, queues
from resolvers.context import Context
from storage.connect import Stores, open_stores

PASSES = PassSigner(Ed25519PrivateKey.generate())
CUSTOMER = Customer("Ada Lovelace", "ada@example.org")
STOCK = 50_000
READY_WITHIN_S = 60.0


@asynccontextmanager
async def open_ready_stores(redis_url: str, mongo_url: str, database: str) -> AsyncIterator[Stores]:
    async with open_stores(redis_url, mongo_url, database) as stores:

        async def is_ready() -> bool:
            return await stores.problems() == []

        if not await wait_until(is_ready, within_s=READY_WITHIN_S, poll_interval_s=0.01):
            raise RuntimeError(f"the stores are not ready: {await stores.problems()}")
        yield stores


async def open_concert(stores: Stores, room: RoomSettings) -> Concert:
    draft = free_concert(STOCK, datetime.now(UTC), room)
    draft = replace(draft, terms=replace(draft.terms, limit_per_person=1_000, hold_duration_ms=600_000))
    created = await concerts.create_concert(organizer_context(stores), draft)
    await concerts.publish_concert(organizer_context(stores), created.id)
    published = await stores.concerts.get(created.id)
    assert published is not None
    return published


async def buy_ticket(stores: Stores, concert: Concert, person_id: PersonId) -> None:
    """Claim the person's pass, and hold and buy one ticket with it."""
    context = customer_context(stores, person_id)
    await stores.queues.claim(concert.id, person_id)
    entry = await queues.get_viewer_entry(context, concert.id)
    token = entry and entry.queue_pass and entry.queue_pass.token
    lines = (TicketRequest(concert.tiers[-1].id, 1),)
    hold = await holds.hold_tickets(context, concert.id, lines, new_key(), token or None)
    await orders.purchase_hold(context, concert.id, hold.id, CUSTOMER, new_key())


def organizer_context(stores: Stores) -> Context:
    return _context(stores, "olivia", Role.ORGANIZER)


def customer_context(stores: Stores, person_id: PersonId) -> Context:
    return _context(stores, person_id, Role.CUSTOMER)


def new_key() -> str:
    return secrets.token_hex(8)


def _context(stores: Stores, name: str, role: Role) -> Context:
    return Context(stores, PASSES, Viewer(PersonId(name), name, f"{name}@example.org", frozenset({role})), "proof")
