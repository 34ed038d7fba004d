"""`python -m proofs.silence SECONDS`, behind `make prove-silence`: stops the store for this long.

It starts its own stores. The exit status is 0 if no one waited too long and the stock is right.
"""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.clients.servers import DATABASE, run_stores
from proofs.silence.proof import Outcome, prove


def main(arguments: Sequence[str]) -> int:
    outcome = asyncio.run(_prove(float(arguments[0]) if arguments else 20.0))
    for name, value in outcome.rows():
        sys.stdout.write(f"{name:34}{value}\n")
    violations = list(outcome.violations())
    for violation in violations:
        sys.stdout.write(f"VIOLATION: {violation}\n")
    return 1 if violations else 0


async def _prove(seconds: float) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="onsale-proof-") as directory:
        async with run_stores(Path(directory)) as (valkey, mongod):
            return await prove(valkey, mongod.url, DATABASE, seconds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
