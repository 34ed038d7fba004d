"""Runs one sale, from signing in to checking its records. Each step has a time limit."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from redis.asyncio import Redis
from redis.exceptions import RedisError

from bench.clients import catalog
from bench.clients.catalog import CatalogRefused, SaleConcert
from bench.clients.checkout import open_checkout
from bench.clients.console import write_status
from bench.clients.http_client import Client, open_client
from bench.clients.ledger import Ledger
from bench.clients.observations import Observations
from bench.clients.queue_client import QueueClient
from bench.clients.shop import Shop
from bench.clients.tokens import sign_in
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from domain.queues import RoomSettings
from proofs.sale.buyers.buyer import Buyer
from proofs.sale.buyers.people import Person, wanted
from proofs.sale.buyers.queue_behavior import QueueSession
from proofs.sale.buyers.stock_poller import StockPoller
from proofs.sale.closing import closed_at_the_end
from proofs.sale.driver import Kill, drive_sale
from proofs.sale.records.audit import Audit, Auditor
from proofs.sale.records.bank import read_bank
from proofs.sale.records.invariants import Verdict, judge
from proofs.sale.records.queue_invariants import Evidence, judge_queue
from proofs.sale.records.store_dump import StoreDump, StoreDumpMissing, all_holds_ended, read_store_dump
from proofs.sale.sale_targets import SaleTarget
from proofs.wait_until import wait_until
from schema import ids
from storage.mongo.client import connect, database

CATALOG_WITHIN_S = 60.0
HOLDS_END_WITHIN_S = 180.0
"""A purchase is settled and an order must be paid within 60 s; an outage adds up to 60 s."""


@dataclass(frozen=True, slots=True)
class Plan:
    people: tuple[Person, ...]
    stock: int
    room: RoomSettings
    limit_s: float

    @property
    def goal(self) -> int:
        """Return how many tickets to sell: the stock or the total demand, whichever is less."""
        return min(self.stock, wanted(self.people))


@dataclass(frozen=True, slots=True)
class Result:
    ledger: Ledger
    dump: StoreDump
    verdicts: tuple[Verdict, ...]
    lasted_s: float
    cut_short: str | None
    """The reason the sale was cut short, or None."""


async def run_sale(target: SaleTarget, plan: Plan, kill: Kill | None) -> Result:
    ledger = Ledger()
    write_status(f"signing in {len(plan.people):,} people\n")
    tokens = await sign_in(target.issuer, ["olivia", *(person.name for person in plan.people)])
    async with open_client(target.urls, ledger) as client, open_checkout(ledger) as checkout:
        concert = await _create_concerts(client, plan, tokens["olivia"], target)
        concert_id = ConcertId(ids.decode(concert.id, ids.Kind.CONCERT).parts[0])
        queue = QueueClient(client, ledger, concert, urls=target.urls, observations=Observations())
        shop = Shop(client, ledger, concert, checkout)
        stock_poller = StockPoller(shop)
        buyers = [_make_buyer(person, tokens[person.name], queue, shop, stock_poller) for person in plan.people]
        closing = closed_at_the_end(client, concert.id, tokens["olivia"])
        async with closing, Redis.from_url(target.redis_url, decode_responses=True) as redis:
            auditor = Auditor(redis, concert_id)
            background = (queue.poll_room(), auditor.poll())
            started = time.monotonic()
            cut_short = await drive_sale(
                buyers, stock_poller, ledger, goal=plan.goal, limit_s=plan.limit_s, kill=kill, background=background
            )
            lasted_s = time.monotonic() - started
            dump = await _read_dump(target, concert_id)
            evidence = Evidence(plan.room, queue.observations, await _finish_audit(auditor))
    ledger.queue.expired |= queue.observations.expired.keys() - evidence.audit.departed
    verdicts = judge(dump, ledger.receipts) + judge_queue(evidence)
    return Result(ledger, dump, verdicts, lasted_s, cut_short)


def _make_buyer(person: Person, token: str, queue: QueueClient, shop: Shop, stock_poller: StockPoller) -> Buyer:
    return Buyer(
        person,
        token,
        queue_session=QueueSession(person, token, queue, stock_poller),
        shop=shop,
        stock_poller=stock_poller,
    )


async def _finish_audit(auditor: Auditor) -> Audit:
    try:
        return await auditor.finish()
    except RedisError as error:
        raise StoreDumpMissing(f"the store no longer answers: {error}") from error


async def _create_concerts(client: Client, plan: Plan, token: str, target: SaleTarget) -> SaleConcert:
    now = datetime.now(UTC)
    draft = catalog.sale_concert(plan.stock, now, plan.room)
    drafts = catalog.demo_concerts(now) if target.is_disposable else ()
    try:
        async with asyncio.timeout(CATALOG_WITHIN_S):
            created = await catalog.load(client, drafts, token)
            concert = await catalog.open_sale(client, draft, token)
    except TimeoutError as error:
        raise CatalogRefused(f"the concerts could not be created within {CATALOG_WITHIN_S:.0f} s") from error
    write_status(f"created {created} demo concerts and one concert with {plan.stock:,} tickets, which is on sale\n")
    write_status(f"to watch it, run: make watch CONCERT={draft.slug} URL={target.urls[-1]}\n")
    return concert


async def _read_dump(target: SaleTarget, concert_id: ConcertId) -> StoreDump:
    """Wait for all holds to end, and return the records.

    A hold that does not end in time is later reported as a violation.
    """
    mongo_client = connect(target.mongo_url)
    try:
        async with Redis.from_url(target.redis_url, decode_responses=True) as redis:
            await wait_until(
                lambda: all_holds_ended(redis, concert_id), within_s=HOLDS_END_WITHIN_S, poll_interval_s=0.5
            )
            bank_minor = await read_bank(target.sandbox_url, concert_id)
            mongo = database(mongo_client, target.mongo_database)
            return await read_store_dump(redis, mongo, concert_id, bank_minor=bank_minor)
    except (RedisError, TemporarilyUnavailable) as error:
        raise StoreDumpMissing(f"a store no longer answers: {error}") from error
    finally:
        mongo_client.close()
