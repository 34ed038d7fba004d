"""Runs the proof once: buyers and chaos, then the settlement, then the judgment."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from bench.clients import catalog
from bench.clients.background import cancel_all
from bench.clients.catalog import SaleConcert
from bench.clients.checkout import open_checkout
from bench.clients.console import write_status
from bench.clients.http_client import Client, open_client
from bench.clients.ledger import Ledger
from bench.clients.tokens import sign_in
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from proofs.payments.bank import Bank, LedgerEntry, open_bank
from proofs.payments.buyers import Shopper
from proofs.payments.chaos import Chaos
from proofs.payments.judgment import OPEN, Accounts, judge, make_accounts
from proofs.payments.servers import DATABASE, Servers, run_servers
from proofs.sale.records.invariants import Verdict
from proofs.sale.records.store_dump import StoreDump, all_holds_ended, read_store_dump
from proofs.wait_until import wait_until
from schema import ids
from storage.mongo.client import connect, database

ARRIVALS_PER_S = 10
"""Slow enough that many processes are killed while people buy."""
STOCK_SHARE = 1.9
"""Tickets per buyer. A buyer wants 2.25 on average, so some late payments find no tickets."""
SETTLED_WITHIN_S = 300.0
"""Time to pay, grace after an outage, leases and retries take up to three minutes together."""
LATE_CARD_S = 120.0
"""More than the time after which a late card succeeds at the bank."""
BUYERS_WITHIN_S = 600.0


@dataclass(frozen=True, slots=True)
class Plan:
    buyers: int
    seed: int


@dataclass(frozen=True, slots=True)
class Outcome:
    plan: Plan
    accounts: Accounts
    verdicts: tuple[Verdict, ...]
    statuses: Counter[str]
    behaviors: Counter[str]
    chaos: Counter[str]
    is_settled: bool

    @property
    def is_proven(self) -> bool:
        return self.is_settled and self.accounts.is_balanced and not any(verdict.offending for verdict in self.verdicts)


async def run_proof(directory: Path, plan: Plan) -> Outcome:
    """Run everything in the directory. Raises ServerStartError."""
    behaviors: Counter[str] = Counter()
    async with run_servers(directory, seed=plan.seed) as servers, open_bank(servers.sandbox.url) as bank:
        tokens = await sign_in(servers.apps[0].issuer, ["olivia", *_names(plan)])
        chaos = Chaos(servers, bank, plan.seed)
        async with open_client([app.url for app in servers.apps], Ledger()) as client:
            concert = await _open_sale(client, plan, tokens["olivia"])
            await _buy(plan, servers, bank, client, concert, tokens=tokens, behaviors=behaviors, chaos=chaos)
        concert_id = ConcertId(ids.decode(concert.id, ids.Kind.CONCERT).parts[0])
        is_settled = await _settle(servers, bank, concert_id)
        entries = await bank.read_ledger()
        dump = await _read_dump(servers, concert_id)
        chaos.done.update({f"crashes after {point}": count for point, count in servers.worker.crashes().items()})
    statuses = Counter(str(order.status) for order in dump.orders)
    accounts = make_accounts(entries, dump.orders)
    return Outcome(plan, accounts, judge(dump, entries), statuses, behaviors, chaos.done, is_settled)


async def _open_sale(client: Client, plan: Plan, token: str) -> SaleConcert:
    draft = catalog.sale_concert(int(plan.buyers * STOCK_SHARE), datetime.now(UTC))
    return await catalog.open_sale(client, draft, token)


async def _buy(
    plan: Plan,
    servers: Servers,
    bank: Bank,
    client: Client,
    concert: SaleConcert,
    *,
    tokens: dict[str, str],
    behaviors: Counter[str],
    chaos: Chaos,
) -> None:
    """Run all buyers to their end, while processes are killed."""
    chance = random.Random(f"buyers:{plan.seed}")
    async with open_checkout(Ledger()) as checkout, asyncio.TaskGroup() as group:
        background = [group.create_task(chaos.run()), group.create_task(chaos.keep_worker_running())]
        shoppers = [
            Shopper(
                client=client,
                checkout=checkout,
                bank=bank,
                concert=concert,
                name=name,
                token=tokens[name],
                organizer_token=tokens["olivia"],
                chance=random.Random(f"{plan.seed}:{name}"),
                outcomes=behaviors,
            )
            for name in _names(plan)
        ]
        async with asyncio.timeout(BUYERS_WITHIN_S):
            await asyncio.gather(
                *(shopper.run(chance.uniform(0, plan.buyers / ARRIVALS_PER_S)) for shopper in shoppers)
            )
        await cancel_all(background)


async def _settle(servers: Servers, bank: Bank, concert_id: ConcertId) -> bool:
    """Let everything come to an end without chaos. Return whether it did in time."""
    for server in servers.all:
        if server.exit_code is not None:
            await server.start()
    await bank.clear_faults()
    for intent_id in await bank.processing_intents():
        await bank.settle(intent_id, "failed" if hash_is_even(intent_id) else "succeeded")
    await bank.move_clock(LATE_CARD_S)
    write_status("all buyers are done; waiting until everything is settled\n")
    mongo_client = connect(servers.mongod.url)
    try:
        async with Redis.from_url(servers.valkey.url, decode_responses=True) as redis:
            orders = database(mongo_client, DATABASE)["orders"]
            inbox = database(mongo_client, DATABASE)["payment_events"]

            async def is_settled() -> bool:
                open_orders = await orders.count_documents({"status": {"$in": [str(status) for status in OPEN]}})
                waiting = await inbox.count_documents({"state": {"$in": ["NEW", "PARKED"]}})
                if open_orders or waiting or await bank.count_pending_webhooks():
                    return False
                return await all_holds_ended(redis, concert_id)

            return await wait_until(_kept_running(servers, is_settled), within_s=SETTLED_WITHIN_S, poll_interval_s=1.0)
    finally:
        mongo_client.close()


def hash_is_even(intent_id: str) -> bool:
    """Return the same choice for the same intent, for half of all intents."""
    return sum(intent_id.encode()) % 2 == 0


def _kept_running(
    servers: Servers, condition: Callable[[], Coroutine[Any, Any, bool]]
) -> Callable[[], Coroutine[Any, Any, bool]]:
    """Start the crashing worker again before each look: it helps to the end."""

    async def looked() -> bool:
        if servers.worker.exit_code is not None:
            await servers.worker.start()
        try:
            return await condition()
        except (RedisError, TemporarilyUnavailable):
            return False

    return looked


async def _read_dump(servers: Servers, concert_id: ConcertId) -> StoreDump:
    mongo_client = connect(servers.mongod.url)
    try:
        async with Redis.from_url(servers.valkey.url, decode_responses=True) as redis:
            return await read_store_dump(redis, database(mongo_client, DATABASE), concert_id, bank_minor={})
    finally:
        mongo_client.close()


def _names(plan: Plan) -> list[str]:
    return [f"buyer{number}" for number in range(1, plan.buyers + 1)]


__all__ = ["LedgerEntry", "Outcome", "Plan", "run_proof"]
