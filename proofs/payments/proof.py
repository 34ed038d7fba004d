"""Runs the proof once: buyers and chaos, then the settlement, then the judgment."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pymongo.errors import PyMongoError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bench.clients import catalog
from bench.clients.background import cancel_all
from bench.clients.catalog import SaleConcert
from bench.clients.checkout import open_checkout
from bench.clients.console import write_status
from bench.clients.http_client import Client, open_client
from bench.clients.ledger import Ledger
from bench.clients.servers import DATABASE
from bench.clients.tokens import sign_in
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from domain.mails.mail import MailState
from domain.money import CurrencyCode
from proofs.payments.bank import Bank, LedgerEntry, open_bank
from proofs.payments.buyers import Answers, Shopper
from proofs.payments.chaos import Chaos
from proofs.payments.crashes import count_crashes
from proofs.payments.effect_judgment import (
    count_documents,
    no_effect_is_due,
    one_document_per_fulfilled_order,
)
from proofs.payments.judgment import OPEN, Accounts, AnsweredOrders, judge, make_accounts
from proofs.payments.mail_judgment import a_mail_for_each_fulfilled_order
from proofs.payments.servers import Servers, run_servers, start_crashing
from proofs.sale.records.invariants import Verdict
from proofs.sale.records.store_dump import StoreDump, all_holds_ended, read_store_dump
from proofs.wait_until import wait_until
from schema import ids
from storage.mongo.client import Database, connect, database

CURRENCIES = (CurrencyCode.EUR, CurrencyCode.ISK)
"""One concert in each. The króna has no smaller unit, but the provider counts in hundredths."""
ARRIVALS_PER_S = 10
"""Slow enough that many processes are killed while people buy."""
ARRIVALS_LAST_S = 20.0
"""The minimum duration, so that each server is killed even in a short run."""
STOCK_SHARE = 1.9
"""The number of tickets per buyer. A buyer wants 2.25 on average, so no tickets are left for some
late payments.
"""
SETTLED_WITHIN_S = 300.0
"""Time to pay, grace after an outage, leases and retries take up to three minutes together."""
LATE_CARD_S = 120.0
"""More than the time after which a late payment succeeds at the bank."""
BUYERS_WITHIN_S = 900.0


@dataclass(frozen=True, slots=True)
class Plan:
    buyers: int
    seed: int

    @property
    def names(self) -> list[str]:
        return [f"buyer{number}" for number in range(1, self.buyers + 1)]


@dataclass(frozen=True, slots=True)
class Judged:
    """One concert, and the outcome for its money."""

    currency: CurrencyCode
    statuses: Counter[str]
    accounts: Accounts
    verdicts: tuple[Verdict, ...]

    @property
    def is_right(self) -> bool:
        return self.accounts.is_balanced and not any(verdict.offending for verdict in self.verdicts)


@dataclass(frozen=True, slots=True)
class Outcome:
    plan: Plan
    concerts: tuple[Judged, ...]
    answers: Answers
    chaos: Counter[str]
    is_settled: bool

    @property
    def is_proven(self) -> bool:
        return self.is_settled and all(concert.is_right for concert in self.concerts)


@dataclass(frozen=True, slots=True)
class OnSale:
    concert: SaleConcert
    currency: CurrencyCode

    @property
    def id(self) -> ConcertId:
        return ConcertId(ids.decode(self.concert.id, ids.Kind.CONCERT).parts[0])


async def run_proof(directory: Path, plan: Plan) -> Outcome:
    """Run everything in the directory. Raises ServerStartError."""
    async with run_servers(directory, seed=plan.seed) as servers, open_bank(servers.sandbox.url) as bank:
        tokens = await sign_in(servers.app.issuer, ["olivia", *plan.names])
        chaos, answers = Chaos(servers, bank, plan.seed), Answers()
        async with open_client(servers.app_urls, Ledger()) as client:
            on_sale = [await _open_sale(client, plan, tokens["olivia"], currency) for currency in CURRENCIES]
            shoppers = _make_shoppers(plan, client, bank, on_sale, tokens=tokens, answers=answers)
            await _buy(plan, chaos, servers, shoppers)
        write_status("all buyers are done; waiting until everything is settled\n")
        judged, is_settled = await _settle(servers, bank, on_sale, answers)
        for server in servers.crashing:
            counts = count_crashes(server.directory / "log")
            chaos.done.update({f"crashes of {server.name} after {point}": n for point, n in counts.items()})
    return Outcome(plan, judged, answers, chaos.done, is_settled)


async def _open_sale(client: Client, plan: Plan, token: str, currency: CurrencyCode) -> OnSale:
    draft = catalog.sale_concert(int(plan.buyers * STOCK_SHARE / len(CURRENCIES)), datetime.now(UTC))
    return OnSale(await catalog.open_sale(client, replace(draft, currency=currency), token), currency)


def _make_shoppers(
    plan: Plan, client: Client, bank: Bank, on_sale: Sequence[OnSale], *, tokens: dict[str, str], answers: Answers
) -> list[Shopper]:
    return [
        Shopper(
            client=client,
            bank=bank,
            concert=on_sale[number % len(on_sale)].concert,
            currency=on_sale[number % len(on_sale)].currency,
            name=name,
            token=tokens[name],
            organizer_token=tokens["olivia"],
            chance=random.Random(f"{plan.seed}:{name}"),
            answers=answers,
        )
        for number, name in enumerate(plan.names)
    ]


async def _buy(plan: Plan, chaos: Chaos, servers: Servers, shoppers: Sequence[Shopper]) -> None:
    """Run all buyers until they are done, while processes are killed."""
    chance = random.Random(f"buyers:{plan.seed}")
    within_s = max(plan.buyers / ARRIVALS_PER_S, ARRIVALS_LAST_S)
    async with open_checkout(Ledger()) as checkout, asyncio.TaskGroup() as group:
        background = [group.create_task(chaos.keep_running(server)) for server in servers.crashing]
        background.append(group.create_task(chaos.run()))
        async with asyncio.timeout(BUYERS_WITHIN_S):
            await asyncio.gather(*(shopper.run(checkout, chance.uniform(0, within_s)) for shopper in shoppers))
        await cancel_all(background)


async def _settle(
    servers: Servers, bank: Bank, on_sale: Sequence[OnSale], answers: Answers
) -> tuple[tuple[Judged, ...], bool]:
    """Let everything finish, and return the judgment and whether everything was settled in time.

    The judgment is repeated until it is favorable, because a refund may be under way. The servers
    that kill themselves continue to do so, and are started again before each check.
    """
    for server in servers.others:
        if server.exit_code is not None:
            await server.start()
    await bank.clear_faults()
    for intent_id in await bank.processing_intents():
        await bank.settle(intent_id, "failed" if _is_even(intent_id) else "succeeded")
    await bank.move_clock(LATE_CARD_S)
    judged: tuple[Judged, ...] = ()
    with closing(connect(servers.mongod.url)) as mongo_client:
        mongo = database(mongo_client, DATABASE)
        async with Redis.from_url(servers.valkey.url, decode_responses=True) as redis:

            async def is_settled() -> bool:
                nonlocal judged
                for server in servers.crashing:
                    if server.exit_code is not None:
                        await start_crashing(server)
                try:
                    if not await _is_quiet(redis, mongo, bank, on_sale):
                        return False
                    judged = await _judge(redis, mongo, bank, on_sale, answers)
                except (RedisError, PyMongoError, TemporarilyUnavailable):
                    return False
                return all(concert.is_right for concert in judged)

            settled = await wait_until(is_settled, within_s=SETTLED_WITHIN_S, poll_interval_s=1.0)
            if not settled:
                judged = await _judge(redis, mongo, bank, on_sale, answers)
            return judged, settled


async def _is_quiet(redis: Redis, mongo: Database, bank: Bank, on_sale: Sequence[OnSale]) -> bool:
    """Return whether no order, hold, webhook or event is waiting, without reading every order."""
    waiting = await mongo["payment_events"].count_documents({"state": {"$in": ["NEW", "PARKED"]}})
    waiting += await mongo["orders"].count_documents({"status": {"$in": [str(status) for status in OPEN]}})
    if waiting or await bank.count_pending_webhooks():
        return False
    return all([await all_holds_ended(redis, one.id) for one in on_sale])


async def _judge(
    redis: Redis, mongo: Database, bank: Bank, on_sale: Sequence[OnSale], answers: Answers
) -> tuple[Judged, ...]:
    entries: dict[str, list[LedgerEntry]] = {one.id: [] for one in on_sale}
    for entry in await bank.read_ledger():
        # Money for an unknown concert is counted in the first one, as money without an order.
        entries.get(entry.concert_id, entries[on_sale[0].id]).append(entry)
    dumps = [await read_store_dump(redis, mongo, one.id, bank_minor={}) for one in on_sale]
    sent = {mail["_id"] async for mail in mongo["mails"].find({"state": MailState.SENT}, {"_id": 1})}
    documents = [await count_documents(mongo, one.id) for one in on_sale]
    return tuple(
        _judge_concert(one, dump, entries[one.id], answers.order_ids.get(one.concert.id, {}), sent=sent, documents=made)
        for one, dump, made in zip(on_sale, dumps, documents, strict=True)
    )


def _judge_concert(
    one: OnSale,
    dump: StoreDump,
    entries: list[LedgerEntry],
    answered: AnsweredOrders,
    *,
    sent: set[str],
    documents: Counter[str],
) -> Judged:
    """Judge one concert. `sent` has the ids of all mails that were sent, and `documents` the number
    of documents by order.
    """
    statuses = Counter(str(order.status) for order in dump.orders)
    mails = Verdict("a mail for each fulfilled order", tuple(a_mail_for_each_fulfilled_order(dump.orders, sent)))
    effects = (
        Verdict("no effect is due", tuple(no_effect_is_due(dump.orders))),
        Verdict("one document per fulfilled order", tuple(one_document_per_fulfilled_order(dump.orders, documents))),
    )
    verdicts = (*judge(dump, entries, answered), mails, *effects)
    return Judged(one.currency, statuses, make_accounts(entries, dump.orders), verdicts)


def _is_even(intent_id: str) -> bool:
    """Return true for half of all intents, always with the same answer for an intent."""
    return sum(intent_id.encode()) % 2 == 0
