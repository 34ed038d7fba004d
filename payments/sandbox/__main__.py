"""Runs the sandbox as a process: `python -m payments.sandbox --data <dir> --port <port>`."""

import argparse
import asyncio
import logging
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
import uvloop

from payments.sandbox.control import check_receiver
from payments.sandbox.database import Database
from payments.sandbox.defaults import PUBLISHABLE_KEY, SECRET_KEY, WEBHOOK_SECRET
from payments.sandbox.errors import ApiError
from payments.sandbox.records import DEFAULT_EVENTS, Endpoint, Records
from payments.sandbox.server import ApiKeys, Sandbox

BACKLOG = 2_048


def main() -> None:
    options = _parse(sys.argv[1:])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(options))


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m payments.sandbox", description="Runs the payment sandbox.")
    parser.add_argument("--data", type=Path, required=True, help="the folder for the database")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--webhook", metavar="URL", help="the receiver of webhooks")
    parser.add_argument("--secret", default=WEBHOOK_SECRET, help="signs the webhooks")
    parser.add_argument("--event", action="append", help="an event type to send; may be repeated")
    parser.add_argument("--secret-key", default=SECRET_KEY, help="the API key of the server")
    parser.add_argument("--publishable-key", default=PUBLISHABLE_KEY, help="the API key of browsers")
    options = parser.parse_args(arguments)
    try:
        check_receiver(options.webhook)
    except ApiError as error:
        parser.error(str(error))
    return options


async def _run(options: argparse.Namespace) -> None:
    options.data.mkdir(parents=True, exist_ok=True)
    try:
        database = Database(options.data / "sandbox.db")
    except sqlite3.Error as error:
        sys.exit(f"The sandbox cannot open {options.data / 'sandbox.db'}: {error}. Is another sandbox running on it?")
    endpoint = Endpoint(options.webhook, options.secret, frozenset(options.event or DEFAULT_EVENTS))
    sandbox = Sandbox(Records(database, endpoint), ApiKeys(options.secret_key, options.publishable_key))
    config = uvicorn.Config(
        sandbox,
        host=options.host,
        port=options.port,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=1,
    )
    try:
        await _serve(_Server(config), sandbox)
    finally:
        database.close()


class _Server(uvicorn.Server):
    """A server without signal handlers: a signal must also stop the bank and the webhooks."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(server: uvicorn.Server, sandbox: Sandbox) -> None:
    """Run the server, the bank and the webhooks, and stop all of them if one ends."""
    loop = asyncio.get_running_loop()
    serving = asyncio.create_task(server.serve())
    others = [asyncio.create_task(sandbox.bank.run()), asyncio.create_task(sandbox.webhooks.run())]
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, setattr, server, "should_exit", True)
    await asyncio.wait([serving, *others], return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await asyncio.wait([serving])
    for task in others:
        task.cancel()
    for ended in await asyncio.gather(serving, *others, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


if __name__ == "__main__":
    main()
