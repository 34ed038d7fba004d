"""`python -m proofs.store_faults SECONDS`, behind `make prove-stores`: breaks the stores in each
way for this long.

It starts its own stores. The exit status is 0 if each fault was named, nothing was lost and the
sale continued without a restart of the server.
"""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.clients.servers import DATABASE, run_stores
from proofs.store_faults.faults import FAULTS, Servers
from proofs.store_faults.proof import Outcome, prove
from proofs.store_faults.small_disk import small_disk

DISK_MEGABYTES = 64


def main(arguments: Sequence[str]) -> int:
    return asyncio.run(_prove(float(arguments[0]) if arguments else 10.0))


async def _prove(seconds: float) -> int:
    """Prove all faults one after another, and return the exit status."""
    status = 0
    with (
        tempfile.TemporaryDirectory(prefix="onsale-proof-") as name,
        small_disk(Path(name) / "disk", megabytes=DISK_MEGABYTES) as disk,
    ):
        options = ("--dir", str(disk), "--appendfsync", "everysec") if disk else ()
        async with run_stores(Path(name), valkey_options=options) as (valkey, mongod):
            for fault in FAULTS:
                if fault.needs_disk and disk is None:
                    sys.stdout.write(f"{fault.name}: left out, because a small disk needs root privileges\n")
                else:
                    status |= _show(await prove(Servers(valkey, mongod, disk), DATABASE, fault, seconds))
    return status


def _show(outcome: Outcome) -> int:
    """Print an outcome, and return 1 if it has a violation."""
    back = "never" if outcome.ready_after_s is None else f"{outcome.ready_after_s:.2f} s"
    row = f"{outcome.people:>5} people {outcome.retries:>6} retries, sold again after {back}"
    sys.stdout.write(f"{outcome.fault:28}{row}\n    {outcome.problem}\n")
    violations = list(outcome.violations())
    for violation in violations:
        sys.stdout.write(f"VIOLATION: {violation}\n")
    sys.stdout.flush()
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
