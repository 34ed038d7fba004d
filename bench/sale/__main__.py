"""`python -m bench.sale`, behind `make sale`:
exits 0 for a good sale, 1 for a bad one, 2 without a sale.
"""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uvloop

from bench.sale.catalog import CatalogRefused, waiting_room
from bench.sale.people import make_people
from bench.sale.progress import say
from bench.sale.report import failures, report
from bench.sale.sale import Plan, Result, hold_sale
from bench.sale.sale_targets import StoresUnknown, existing_target
from bench.sale.servers import own_servers
from bench.sale.store_dump import StoreDumpMissing
from bench.sale.tokens import IssuerRefused
from settings import Settings, SettingsError
from storage.embedded.process import ServerStartError

ARRIVALS_PER_S = 50
"""On average; a rush starts at twice this rate."""
SMALLEST = 10
"""The smallest number of people and of tickets: three tiers, each with some stock."""


def main(words: Sequence[str]) -> int:
    options = _parser().parse_args(words)
    people = make_people(options.buyers, seed=options.seed, rush_s=options.buyers / ARRIVALS_PER_S)
    stock = options.stock or max(options.buyers * 2 // 5, SMALLEST)
    room = waiting_room(stock, active_users=options.active, users_per_minute=options.per_minute)
    plan = Plan(people, stock, room, options.limit_s)
    try:
        result = uvloop.run(_on_given_servers(plan, options) if options.url else _on_own_servers(plan, options))
    except (ServerStartError, CatalogRefused, IssuerRefused, StoresUnknown, SettingsError, StoreDumpMissing) as reason:
        say(f"The sale could not be held: {reason}\n")
        return 2
    except KeyboardInterrupt:
        say("\nThe sale was interrupted; what it started is stopped.\n")
        return 130
    sys.stdout.write(report(plan, result) + "\n")
    return 1 if failures(plan, result) else 0


async def _on_own_servers(plan: Plan, options: argparse.Namespace) -> Result:
    directory = Path(tempfile.mkdtemp(prefix="onsale-sale-"))
    say(f"a Valkey, a mongod and two servers start in {directory}\n")
    try:
        async with own_servers(directory) as servers:
            result = await hold_sale(servers.target, plan, servers.kill_half if options.kill == "yes" else None)
    except asyncio.CancelledError:
        shutil.rmtree(directory)
        raise
    if failures(plan, result):
        say(f"stores and logs are left in {directory}\n")
    else:
        shutil.rmtree(directory)
    return result


async def _on_given_servers(plan: Plan, options: argparse.Namespace) -> Result:
    settings = Settings.from_env(os.environ)
    site = existing_target(options.url, settings, redis_url=options.redis_url, mongo_url=options.mongo_url)
    return await hold_sale(site, plan, strike=None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m bench.sale", description="Hold a whole sale and check its books.")
    parser.add_argument("--buyers", type=_count, default=2000, help="people who come (2000)")
    parser.add_argument("--stock", type=_count, help="tickets on sale (two for five people)")
    parser.add_argument(
        "--kill", choices=("yes", "no"), default="yes", help="kill -9 the store and a server midway (yes)"
    )
    parser.add_argument("--active", type=int, help="people called or admitted at a time (an eighth of the tickets)")
    parser.add_argument("--per-minute", type=int, help="people called in any minute (half as many as tickets, or 60)")
    parser.add_argument("--url", help="a running server, which is not killed; without it, servers are started")
    parser.add_argument("--redis-url", help="the store of the running server, if ONSALE_REDIS_URL does not name it")
    parser.add_argument("--mongo-url", help="likewise, for ONSALE_MONGO_URL")
    parser.add_argument("--seed", type=int, default=1, help="another seed is another crowd (1)")
    parser.add_argument("--limit-s", type=float, default=420.0, help="the sale is cut short and fails after this (420)")
    return parser


def _count(word: str) -> int:
    value = int(word)
    if value < SMALLEST:
        raise argparse.ArgumentTypeError(f"{value} is too few to tell anything; take at least {SMALLEST}")
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
