"""`python -m proofs.processes`, behind `make prove-processes`: replaces and kills four processes
behind nginx, with 2,000 sockets and a sale.

It starts its own stores. The exit status is 0 if no planned step cost a request or a place, and all
people were back in time.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.clients.child_processes import find_children
from bench.clients.servers import AppServer, app_settings, run_app, run_stores
from proofs.processes.nginx import NginxMissing, read_errors, run_nginx
from proofs.processes.proof import Plan, Site, prove, rows
from proofs.wait_until import wait_until
from storage.embedded.ports import accepts_connections, free_port
from web.open_files import raise_open_file_limit

ENDED_WITHIN_S = 10.0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m proofs.processes", description=__doc__)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--sockets", type=int, default=2_000)
    parser.add_argument("--holds", type=int, default=20, help="per second")
    chosen = parser.parse_args(arguments)
    raise_open_file_limit()
    plan = Plan(chosen.sockets, in_queue=chosen.sockets // 10, holds_per_s=chosen.holds)
    try:
        violations = asyncio.run(_prove(plan, chosen.processes))
    except NginxMissing as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for violation in violations:
        sys.stdout.write(f"VIOLATION: {violation}\n")
    return 1 if violations else 0


async def _prove(plan: Plan, processes: int) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="onsale-proof-") as name:
        directory = Path(name)
        metrics_port = free_port()
        async with run_stores(directory) as (valkey, mongod):
            settings = {
                **app_settings(valkey.url, mongod.url),
                "PROCESSES": str(processes),
                "METRICS_PORT": str(metrics_port),
                "TRUSTED_PROXIES": "127.0.0.1",
                "PUSH_TICK_MS": "1000",
            }
            async with (
                run_app(directory / "app", settings) as app,
                run_nginx(directory / "nginx", app_port=app.port) as url,
            ):
                site = Site(url, app.issuer, app.pid, f"http://127.0.0.1:{metrics_port}/metrics", processes)
                outcome = await prove(site, plan)
                for row, value in rows(outcome):
                    sys.stdout.write(f"{row:34}{value}\n")
                for line in read_errors(directory / "nginx")[:5]:
                    sys.stdout.write(f"nginx: {line}\n")
                return [*outcome.violations(), *await _kill_supervisor(app)]


async def _kill_supervisor(app: AppServer) -> list[str]:
    """Kill the supervisor, and return which of its children go on."""
    children = [*find_children(app.pid, "server"), *find_children(app.pid, "workers")]
    os.kill(app.pid, signal.SIGKILL)

    def have_ended() -> bool:
        return not accepts_connections(app.port) and not any(Path(f"/proc/{pid}").exists() for pid in children)

    if await wait_until(have_ended, within_s=ENDED_WITHIN_S, poll_interval_s=0.1):
        return []
    return [f"processes of {children} go on without their supervisor"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
