"""`python -m workers [name ...]` runs the named workers, or all of them.

They use the stores given by `ONSALE_*_URL`, or else the embedded stores of a running `make run`.
Any number of processes on any number of hosts may run the same workers, because their work can
safely be repeated. `python -m workers <command> …` runs a command instead of a
worker: `deadletters`, `mails`, `paymentevents` or `rebuild`.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from domain.errors import OnsaleError
from mail.opening import make_mailer
from payments.embedded_sandbox import find_embedded_sandbox, wait_for_sandbox
from payments.opening import open_payments
from settings import Settings, SettingsError
from storage.connect import Stores
from storage.embedded.process import ServerStartError
from storage.embedded.supervisor import find_stores
from telemetry.exposition import PortTaken, shown_counters
from telemetry.loop_lag import measure_loop_lag
from tickets.concert_keys import ConcertKeys
from tickets.documents.library import open_library
from web import logs
from web.configuration.keys import make_ticket_keys
from web.configuration.stores import open_configured_stores
from web.open_files import raise_open_file_limit
from workers.commands import deadletters, mails, paymentevents, rebuild
from workers.documents.mailed_files import AttachedDocuments
from workers.effects.handlers import open_effect_handlers
from workers.runner import ALL, CALLING_PROVIDER, run_workers

log = logging.getLogger(__name__)

COMMANDS: dict[str, tuple[Callable[[Sequence[str]], Namespace], str]] = {
    deadletters.COMMAND: (deadletters.parse_arguments, "events of the queue that could not be handled"),
    mails.COMMAND: (mails.parse_arguments, "mails that could not be sent"),
    paymentevents.COMMAND: (paymentevents.parse_arguments, "payment events that could not be applied"),
    rebuild.COMMAND: (rebuild.parse_arguments, "rebuild a concert in Redis from MongoDB"),
}
"""For each command: its argument parser, and what it handles."""


async def run(settings: Settings, names: Sequence[str]) -> None:
    """Run the named workers until SIGTERM or SIGINT."""
    task = asyncio.current_task()
    assert task is not None
    for stop in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(stop, task.cancel)
    calling = [name for name in names if name in CALLING_PROVIDER]
    others = [name for name in names if name not in CALLING_PROVIDER]
    with shown_counters(settings.host, settings.workers_metrics_port), measure_loop_lag():
        async with (
            _opened(settings) as (stores, redis_url),
            open_library(
                ConcertKeys(make_ticket_keys(settings), stores.ticket_keys), stores.ticket_documents, settings.font_dirs
            ) as library,
            open_effect_handlers(library) as handlers,
            asyncio.TaskGroup() as group,
        ):
            if others:
                mailer = make_mailer(settings, AttachedDocuments(library))
                running = run_workers(
                    stores, redis_url, others, effect_handlers=handlers, mailer=mailer, fonts=library.fonts
                )
                group.create_task(running)
            if calling:
                group.create_task(_run_calling(settings, stores, redis_url, calling))


async def _run_calling(settings: Settings, stores: Stores, redis_url: str, names: Sequence[str]) -> None:
    """Run workers that call the payment provider. In development, they begin once another process
    runs the sandbox, which may start after this process.
    """
    payment = find_embedded_sandbox(settings.payment, settings.data_dir)
    if payment.provider == "sandbox" and payment.url is None:
        log.warning(
            "no payment sandbox is running yet, so the workers %s wait for one; run `python "
            "app.py`, or set"
            " ONSALE_PAYMENT_URL to the address of a sandbox",
            ", ".join(names),
        )
        payment = await wait_for_sandbox(settings.payment, settings.data_dir)
        log.info("the payment sandbox is running at %s", payment.url)
    async with open_payments(payment, stores) as payments:
        await run_workers(stores, redis_url, names, payments=payments)


async def run_command(settings: Settings, command: str, chosen: Namespace) -> int:
    async with _opened(settings) as (stores, _):
        match command:
            case deadletters.COMMAND:
                return await deadletters.run(stores, chosen)
            case rebuild.COMMAND:
                return await rebuild.run(stores, chosen)
            case mails.COMMAND:
                return await mails.run(stores, chosen)
            case _:
                payment = find_embedded_sandbox(settings.payment, settings.data_dir)
                async with open_payments(payment, stores) as payments:
                    return await paymentevents.run(stores, payments, chosen)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Stores, str]]:
    urls = find_stores(settings.data_dir, redis_url=settings.redis_url, mongo_url=settings.mongo_url)
    async with open_configured_stores(settings, urls.redis, urls.mongo) as stores:
        yield stores, urls.redis


def main() -> int:
    command = next((command for command in COMMANDS if sys.argv[1:2] == [command]), None)
    if command is not None:
        chosen = COMMANDS[command][0](sys.argv[2:])
        return _run(lambda settings: run_command(settings, command, chosen))
    parser = argparse.ArgumentParser(prog="python -m workers", description="Runs Onsale's workers.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"one of {', '.join(ALL)}; default: all")
    parser.epilog = "; ".join(f"`{parser.prog} {name} --help`: {what}" for name, (_, what) in COMMANDS.items())
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
        raise_open_file_limit()
        return asyncio.run(work(settings)) or 0
    except (SettingsError, ServerStartError, PortTaken) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OnsaleError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except asyncio.CancelledError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
