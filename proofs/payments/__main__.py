"""`python -m proofs.payments`, behind `make proof`: proves that no money and no ticket is lost.

The exit status is 0 if every check passes for every seed, 1 if one fails, and 2 if the proof cannot
be run.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.clients.catalog import CatalogRefused
from bench.clients.console import write_status
from bench.clients.tokens import IssuerRefused
from proofs.payments.proof import Judged, Outcome, Plan, run_proof
from storage.embedded.process import ServerStartError

MAX_ROWS = 20


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    failed = 0
    for seed in options.seeds:
        directory = Path(tempfile.mkdtemp(prefix="onsale-proof-"))
        write_status(f"seed {seed}: starting the servers in {directory}\n")
        try:
            outcome = asyncio.run(run_proof(directory, Plan(options.buyers, seed)))
        except (ServerStartError, CatalogRefused, IssuerRefused) as reason:
            write_status(f"The proof could not be run: {reason}\n")
            return 2
        sys.stdout.write("\n".join(report(outcome)) + "\n")
        if outcome.is_proven:
            shutil.rmtree(directory)
        else:
            failed += 1
            write_status(f"the stores and logs are kept in {directory}\n")
    return 1 if failed else 0


def report(outcome: Outcome) -> Iterator[str]:
    yield f"seed {outcome.plan.seed}, {outcome.plan.buyers:,} buyers"
    for title, counts in (("buyers", outcome.answers.counts), ("chaos", outcome.chaos)):
        yield from _table(title, dict(sorted(counts.items())))
    for concert in outcome.concerts:
        yield from _concert(concert)
    yield f"{'ok' if outcome.is_settled else 'FAIL':<6}everything was settled"


def _concert(concert: Judged) -> Iterator[str]:
    accounts = concert.accounts
    yield from _table(f"orders in {concert.currency}", dict(sorted(concert.statuses.items())))
    amounts = {
        "charged": accounts.charged,
        "refunded": accounts.refunded,
        "lost in disputes": accounts.lost,
        "price of the tickets that people own": accounts.owned,
        "to be refunded": accounts.pending,
        "goodwill": accounts.goodwill,
    }
    yield from _table(f"ledger of the bank in {concert.currency}, in minor units", amounts)
    yield f"{'ok' if accounts.is_balanced else 'FAIL':<6}charged - refunded - lost = owned + to be refunded - goodwill"
    for verdict in concert.verdicts:
        yield f"{'FAIL' if verdict.offending else 'ok':<6}{verdict.invariant}"
        yield from (f"      {row}" for row in verdict.offending[:MAX_ROWS])


def _table(title: str, numbers: Mapping[str, int]) -> Iterator[str]:
    yield f"{title}:"
    yield from (f"  {number:>14,} {name}" for name, number in numbers.items())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m proofs.payments", description="Kill everything while people pay, and check the money."
    )
    parser.add_argument("--buyers", type=int, default=2000, help="number of people, each with one order (2000)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2], help="random seeds, one run for each (1 2)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
