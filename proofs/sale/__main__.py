"""`python -m proofs.sale`, behind `make sale`: runs a whole sale and checks its records.

The exit status is 0 if all checks pass, 1 if one fails, and 2 if the sale cannot be run.
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

from bench.clients.catalog import CatalogRefused, waiting_room
from bench.clients.console import write_status
from bench.clients.tokens import IssuerRefused
from proofs.sale.buyers.people import make_people
from proofs.sale.own_servers import run_own_servers
from proofs.sale.records.store_dump import StoreDumpMissing
from proofs.sale.report import failures, report
from proofs.sale.sale import Plan, Result, run_sale
from proofs.sale.sale_targets import StoresUnknown, existing_target
from settings import Settings, SettingsError
from storage.embedded.process import ServerStartError

ARRIVALS_PER_S = 50
"""The average rate; at the start, people arrive twice as fast."""
MIN_SIZE = 10
"""The minimum number of people and of tickets. With fewer tickets, a tier might be empty."""


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    people = make_people(options.buyers, seed=options.seed, within_s=options.buyers / ARRIVALS_PER_S)
    stock = options.stock or max(options.buyers * 2 // 5, MIN_SIZE)
    room = waiting_room(stock, active_users=options.active, users_per_minute=options.per_minute)
    plan = Plan(people, stock, room, options.limit_s)
    try:
        result = uvloop.run(_on_given_servers(plan, options) if options.url else _on_own_servers(plan, options))
    except (ServerStartError, CatalogRefused, IssuerRefused, StoresUnknown, SettingsError, StoreDumpMissing) as reason:
        write_status(f"The sale could not be run: {reason}\n")
        return 2
    except KeyboardInterrupt:
        write_status("\nThe sale was interrupted, and all of its processes were stopped.\n")
        return 130
    sys.stdout.write(report(plan, result) + "\n")
    return 1 if failures(plan, result) else 0


async def _on_own_servers(plan: Plan, options: argparse.Namespace) -> Result:
    directory = Path(tempfile.mkdtemp(prefix="onsale-sale-"))
    write_status(f"starting a Valkey, a mongod, a payment sandbox and two servers in {directory}\n")
    try:
        async with run_own_servers(directory) as servers:
            result = await run_sale(servers.target, plan, servers.kill_half if options.kill == "yes" else None)
    except asyncio.CancelledError:
        shutil.rmtree(directory)
        raise
    if failures(plan, result):
        write_status(f"the stores and logs are kept in {directory}\n")
    else:
        shutil.rmtree(directory)
    return result


async def _on_given_servers(plan: Plan, options: argparse.Namespace) -> Result:
    settings = Settings.from_env(os.environ)
    target = existing_target(options.url, settings, redis_url=options.redis_url, mongo_url=options.mongo_url)
    return await run_sale(target, plan, kill=None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m proofs.sale", description="Run a whole sale and check its records.")
    parser.add_argument("--buyers", type=_count, default=2000, help="number of people (2000)")
    parser.add_argument("--stock", type=_count, help="tickets on sale (two for every five people)")
    parser.add_argument(
        "--kill",
        choices=("yes", "no"),
        default="yes",
        help="kill the store and a server with kill -9 when half of the tickets are sold (yes)",
    )
    parser.add_argument("--active", type=int, help="slots in the waiting room (an eighth of the tickets)")
    parser.add_argument(
        "--per-minute", type=int, help="most people to call per minute (half the number of tickets, at least 60)"
    )
    parser.add_argument("--url", help="use this running server and do not kill it (by default, two are started)")
    parser.add_argument("--redis-url", help="the store of that server, if ONSALE_REDIS_URL is not set")
    parser.add_argument("--mongo-url", help="the database of that server, if ONSALE_MONGO_URL is not set")
    parser.add_argument("--seed", type=int, default=1, help="random seed for the people (1)")
    parser.add_argument("--limit-s", type=float, default=420.0, help="seconds after which the sale fails (420)")
    return parser


def _count(text: str) -> int:
    value = int(text)
    if value < MIN_SIZE:
        raise argparse.ArgumentTypeError(f"{value} is too few; use at least {MIN_SIZE}")
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
