"""`python -m workers [name ...]` runs the named workers, or all of them.

They use the stores given by `ONSALE_*_URL`, or else the embedded stores of a running `make run`.
Any number of processes on any number of hosts may run the same workers, because their work can
safely be repeated. `python -m workers deadletters …` runs a command instead of a worker.
"""

import argparse
import asyncio
import os
import signal
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from domain.errors import OnsaleError
from payments.embedded_sandbox import find_embedded_sandbox
from payments.opening import open_payments
from settings import Settings, SettingsError
from storage.connect import Stores, open_stores
from storage.embedded.process import ServerStartError
from storage.embedded.supervisor import find_stores
from web import logs
from workers import deadletters
from workers.runner import ALL, run_workers


async def run(settings: Settings, names: Sequence[str]) -> None:
    """Run the named workers until SIGTERM or SIGINT."""
    task = asyncio.current_task()
    assert task is not None
    for stop in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(stop, task.cancel)
    payment = find_embedded_sandbox(settings.payment, settings.data_dir)
    async with _opened(settings) as (stores, redis_url), open_payments(payment, stores) as payments:
        await run_workers(stores, redis_url, names, payments=payments)


async def run_command(settings: Settings, chosen: Namespace) -> int:
    async with _opened(settings) as (stores, _):
        return await deadletters.run(stores, chosen)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Stores, str]]:
    urls = find_stores(settings.data_dir, redis_url=settings.redis_url, mongo_url=settings.mongo_url)
    async with open_stores(urls.redis, urls.mongo, settings.mongo_database) as stores:
        yield stores, urls.redis


def main() -> int:
    if sys.argv[1:2] == [deadletters.COMMAND]:
        chosen = deadletters.parse_arguments(sys.argv[2:])
        return _run(lambda settings: run_command(settings, chosen))
    parser = argparse.ArgumentParser(prog="python -m workers", description="Runs Onsale's workers.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"one of {', '.join(ALL)}; default: all")
    parser.epilog = f"`{parser.prog} {deadletters.COMMAND} --help`: events that could not be handled."
    names = parser.parse_args().names or ALL
    unknown = [name for name in names if name not in ALL]
    if unknown:
        parser.error(f"unknown worker {', '.join(unknown)}; choose from {', '.join(ALL)}")
    return _run(lambda settings: run(settings, names))


def _run(work: Callable[[Settings], Coroutine[Any, Any, int | None]]) -> int:
    """Run the command and return its exit status.

    The status is 2 if the settings are wrong or no stores are found, and 1 after a failure that a
    retry may fix.
    """
    try:
        settings = Settings.from_env(os.environ)
        logs.configure(settings.log_format)
        return asyncio.run(work(settings)) or 0
    except (SettingsError, ServerStartError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OnsaleError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except asyncio.CancelledError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
