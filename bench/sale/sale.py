"""One sale from the first token to the verdict on its records.

Every step ends within a known time.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from redis.asyncio import Redis
from redis.exceptions import RedisError

from bench.sale import catalog
from bench.sale.audit import Audit, Auditor
from bench.sale.buyer import Buyer
from bench.sale.catalog import CatalogRefused, SaleConcert
from bench.sale.client import Client, client_of
from bench.sale.closing import closed_at_the_end
from bench.sale.driver import Kill, drive_sale
from bench.sale.fairness import Evidence, judge_queue
from bench.sale.invariants import Verdict, judge
from bench.sale.ledger import Ledger
from bench.sale.observations import Observations
from bench.sale.people import Person, wanted
from bench.sale.progress import say
from bench.sale.queue_behavior import QueueSession
from bench.sale.queue_client import QueueClient
from bench.sale.sale_targets import SaleTarget
from bench.sale.shop import Shop
from bench.sale.stock_poller import StockPoller
from bench.sale.store_dump import StoreDump, StoreDumpMissing, all_holds_ended, read_store_dump
from bench.sale.tokens import sign_in
from bench.sale.wait_until import wait_until
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from domain.queues import RoomSettings
from schema import ids
from storage.mongo.client import connect, database

CATALOG_WITHIN_S = 60.0
HOLDS_END_WITHIN_S = 180.0
"""A purchase is settled within 60 s of its start; a gap in hold expiry gives everyone 60 s more."""


@dataclass(frozen=True, slots=True)
class Plan:
    people: tuple[Person, ...]
    stock: int
    room: RoomSettings
    limit_s: float

    @property
    def goal(self) -> int:
        """Return the stock, or the total that people want if it is smaller."""
        return min(self.stock, wanted(self.people))


@dataclass(frozen=True, slots=True)
class Result:
    ledger: Ledger
    dump: StoreDump
    verdicts: tuple[Verdict, ...]
    lasted_s: float
    cut_short: str | None
    """Why the sale was cut short; None if it ended by itself."""


async def hold_sale(site: SaleTarget, plan: Plan, strike: Kill | None) -> Result:
    ledger = Ledger()
    say(f"{len(plan.people):,} people sign in\n")
    tokens = await sign_in(site.issuer, ["olivia", *(person.name for person in plan.people)])
    async with client_of(site.urls, ledger) as client:
        concert = await _fill_catalog(client, plan, tokens["olivia"], site)
        concert_id = ConcertId(ids.decode(concert.id, ids.Kind.CONCERT).parts[0])
        line = QueueClient(client, ledger, concert, urls=site.urls, observations=Observations())
        shop = Shop(client, ledger, concert)
        stock_poller = StockPoller(shop)
        visits = [_visit(person, tokens[person.name], line, shop, stock_poller) for person in plan.people]
        closing = closed_at_the_end(client, concert.id, tokens["olivia"])
        async with closing, Redis.from_url(site.redis_url, decode_responses=True) as redis:
            auditor = Auditor(redis, concert_id)
            watches = (line.watch_room(), auditor.watch())
            started = time.monotonic()
            cut_short = await drive_sale(
                visits, stock_poller, ledger, goal=plan.goal, limit_s=plan.limit_s, strike=strike, watches=watches
            )
            lasted_s = time.monotonic() - started
            dump = await _read_dump(site, concert_id)
            evidence = Evidence(plan.room, line.observations, await _close_audit(auditor))
    ledger.line.lapsed |= line.observations.expired.keys() - evidence.audit.departed
    verdicts = judge(dump, ledger.receipts) + judge_queue(evidence)
    return Result(ledger, dump, verdicts, lasted_s, cut_short)


def _visit(person: Person, token: str, line: QueueClient, shop: Shop, stock_poller: StockPoller) -> Buyer:
    return Buyer(
        person,
        token,
        queue_session=QueueSession(person, token, line, stock_poller),
        shop=shop,
        stock_poller=stock_poller,
    )


async def _close_audit(auditor: Auditor) -> Audit:
    try:
        return await auditor.close()
    except RedisError as error:
        raise StoreDumpMissing(f"the store does not answer any more: {error}") from error


async def _fill_catalog(client: Client, plan: Plan, token: str, site: SaleTarget) -> SaleConcert:
    now = datetime.now(UTC)
    draft = catalog.sale_concert(plan.stock, now, plan.room)
    drafts = catalog.demo_concerts(now) if site.is_disposable else ()
    try:
        async with asyncio.timeout(CATALOG_WITHIN_S):
            made = await catalog.load(client, drafts, token)
            concert = await catalog.open_sale(client, draft, token)
    except TimeoutError as error:
        raise CatalogRefused(f"the catalogue could not be filled within {CATALOG_WITHIN_S:.0f} s") from error
    say(f"{made} concerts are new in the catalogue; {plan.stock:,} more tickets go on sale\n")
    say(f"watch it: make watch CONCERT={draft.slug} URL={site.urls[-1]}\n")
    return concert


async def _read_dump(site: SaleTarget, concert_id: ConcertId) -> StoreDump:
    """Wait for all holds to end and return the dump;
    a hold that does not end shows up as a violation.
    """
    mongo_client = connect(site.mongo_url)
    try:
        async with Redis.from_url(site.redis_url, decode_responses=True) as redis:
            await wait_until(
                lambda: all_holds_ended(redis, concert_id), within_s=HOLDS_END_WITHIN_S, poll_interval_s=0.5
            )
            return await read_store_dump(redis, database(mongo_client, site.mongo_database), concert_id)
    except (RedisError, TemporarilyUnavailable) as error:
        raise StoreDumpMissing(f"a store does not answer any more: {error}") from error
    finally:
        mongo_client.close()
