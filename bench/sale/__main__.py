"""`python -m bench.sale`, behind `make sale`: exit 0 if the sale was good, 1 if not, 2 if it could not be held."""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uvloop

from bench.sale.catalog import CatalogRefused
from bench.sale.people import crowd
from bench.sale.progress import say
from bench.sale.report import failures, report
from bench.sale.sale import Plan, Result, hold_sale
from bench.sale.servers import Site, own_servers
from bench.sale.tokens import IssuerRefused
from settings import Settings
from storage.child import ChildFailed

ARRIVALS_PER_S = 100
"""On average; a rush begins with twice as many."""
SMALLEST_STOCK = 10
"""Three tiers, and something in each."""


def main(words: Sequence[str]) -> int:
    options = _parser().parse_args(words)
    people = crowd(options.buyers, seed=options.seed, rush_s=options.buyers / ARRIVALS_PER_S)
    plan = Plan(people, options.stock or max(options.buyers * 2 // 5, SMALLEST_STOCK), options.limit_s)
    try:
        result = uvloop.run(_on_given_servers(plan, options) if options.url else _on_own_servers(plan, options))
    except (ChildFailed, CatalogRefused, IssuerRefused) as reason:
        say(f"The sale could not be held: {reason}\n")
        return 2
    sys.stdout.write(report(plan, result) + "\n")
    return 1 if failures(plan, result) else 0


async def _on_own_servers(plan: Plan, options: argparse.Namespace) -> Result:
    directory = Path(tempfile.mkdtemp(prefix="onsale-sale-"))
    say(f"a Valkey, a mongod and two servers start in {directory}\n")
    async with own_servers(directory) as servers:
        result = await hold_sale(servers.site, plan, servers.strike if options.kill == "yes" else None)
    if failures(plan, result):
        say(f"stores and logs are left in {directory}\n")
    else:
        shutil.rmtree(directory)
    return result


async def _on_given_servers(plan: Plan, options: argparse.Namespace) -> Result:
    settings = Settings.from_env(os.environ)
    return await hold_sale(_given_site(options, settings), plan, strike=None)
