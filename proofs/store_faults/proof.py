"""Breaks a store in the middle of a sale, and judges what people and operators notice of it."""

import asyncio
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from domain.concerts import Concert
from domain.ids import OrderId
from domain.orders import Order
from domain.queues import NO_ROOM
from proofs.store_faults.buyers import Buyers
from proofs.store_faults.faults import Fault, Servers
from proofs.wait_until import wait_until
from proofs.waiting_room.invariants import find_violations
from proofs.waiting_room.shop import open_concert, open_ready_stores
from storage.connect import Stores
from workers.record import RecordWorker

BEFORE_S = AFTER_S = 1.0
NAMED_WITHIN_S = 30.0
HEALED_WITHIN_S = 60.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Outcome:
    fault: str
    problem: str | None
    """The problem that the server showed, or None if it never showed the right one."""
    ready_after_s: float | None
    """How long after the end of the fault the server was ready again and sold a ticket."""
    people: int
    retries: int
    receipts: Collection[OrderId]
    orders: Sequence[Order]
    disagreements: Sequence[str]
    """Where the stores do not agree."""

    def violations(self) -> Iterator[str]:
        if self.problem is None:
            yield "the server did not name the fault"
        if self.ready_after_s is None:
            yield f"the sale did not continue within {HEALED_WITHIN_S:.0f} s after the fault"
        recorded = {order.id for order in self.orders}
        yield from (f"order {id_} was confirmed and is not recorded" for id_ in set(self.receipts) - recorded)
        if len(self.receipts) != self.people:
            yield f"{self.people} people came, and {len(self.receipts)} have a ticket"
        people = [order.person_id for order in self.orders]
        yield from (
            f"{person_id} has {people.count(person_id)} orders"
            for person_id in sorted(set(people))
            if people.count(person_id) > 1
        )
        yield from self.disagreements


async def prove(servers: Servers, database: str, fault: Fault, seconds: float) -> Outcome:
    """Sell tickets, keep the fault up for this long after the server has named it, and go on."""
    async with open_ready_stores(servers.redis.url, servers.mongod.url, database) as stores:
        concert = await open_concert(stores, NO_ROOM)
        buyers = Buyers(stores, concert)
        running = asyncio.create_task(buyers.run())
        await asyncio.sleep(BEFORE_S)
        try:
            await fault.begin(servers)
            try:
                problem = await _wait_for_problem(stores, fault.sentence)
                await asyncio.sleep(seconds)
            finally:
                await fault.end(servers)
            ready_after_s = await _wait_for_sale(stores, buyers)
            await asyncio.sleep(AFTER_S)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        await buyers.finish()
        return Outcome(
            fault=fault.name,
            problem=problem,
            ready_after_s=ready_after_s,
            people=buyers.count,
            retries=buyers.retries,
            receipts=list(buyers.receipts.values()),
            orders=[order async for order in stores.orders.iterate_concert(concert.id)],
            disagreements=await _settle(stores, concert),
        )


async def _wait_for_problem(stores: Stores, sentence: str) -> str | None:
    found: list[str] = []

    async def is_named() -> bool:
        found[:] = [problem for problem in await stores.problems() if sentence in problem]
        return bool(found)

    return found[0] if await wait_until(is_named, within_s=NAMED_WITHIN_S, poll_interval_s=POLL_S) else None


async def _wait_for_sale(stores: Stores, buyers: Buyers) -> float | None:
    began_s = time.monotonic()

    async def sells() -> bool:
        return await stores.problems() == [] and buyers.has_sold_since(began_s)

    sold = await wait_until(sells, within_s=HEALED_WITHIN_S, poll_interval_s=POLL_S)
    return time.monotonic() - began_s if sold else None


async def _settle(stores: Stores, concert: Concert) -> list[str]:
    """Let the worker record the orders that Redis could not take, and compare the stores."""
    found: list[str] = []

    async def agree() -> bool:
        await RecordWorker().run_once(stores)
        found[:] = await find_violations(stores, concert)
        return not found

    await wait_until(agree, within_s=HEALED_WITHIN_S, poll_interval_s=POLL_S)
    return found
