"""`python -m proofs.waiting_room SECONDS SEED`, behind `make prove-room`: runs the proof.

It starts its own stores and four worker processes. The exit status is 0 if there is no violation.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from bench.clients.servers import run_stores
from proofs.waiting_room.findings import Findings
from proofs.waiting_room.proof import WORKER_SETS, WORKERS, Proof

DATABASE = "proof"
USERS_PER_MINUTE = 300
MAX_ROWS = 20
"""The maximum number of violations to print; a broken room may have thousands."""


def main(arguments: Sequence[str]) -> int:
    seconds = float(arguments[0]) if arguments else 70.0
    seed = int(arguments[1]) if len(arguments) > 1 else 1
    findings = asyncio.run(_prove(seconds, seed))
    for name, count in findings.rows():
        sys.stdout.write(f"{name:40}{count:>10,}\n")
    for violation in findings.violations[:MAX_ROWS]:
        sys.stdout.write(f"VIOLATION: {violation}\n")
    return 1 if findings.violations else 0


async def _prove(seconds: float, seed: int) -> Findings:
    with tempfile.TemporaryDirectory(prefix="onsale-proof-") as directory:
        async with run_stores(Path(directory)) as (valkey, mongod), AsyncExitStack() as workers:
            for _ in range(WORKER_SETS):
                workers.push_async_callback(_stop, await _start_workers(valkey.url, mongod.url))
            proof = Proof(valkey.url, mongod.url, DATABASE, seconds, USERS_PER_MINUTE, seed, workers.aclose)
            return await proof.run()


async def _start_workers(redis_url: str, mongo_url: str) -> asyncio.subprocess.Process:
    settings = {"REDIS_URL": redis_url, "MONGO_URL": mongo_url, "MONGO_DATABASE": DATABASE}
    environment = os.environ | {f"ONSALE_{name}": value for name, value in settings.items()}
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "workers", *WORKERS, env=environment)


async def _stop(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    await process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
