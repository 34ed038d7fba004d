"""Runs the server processes and the workers of a machine, and restarts, replaces and ends them.

The supervisor owns the data directory, the port, the embedded stores, the sandbox and the port of
the metrics. It serves no requests itself.
"""

import asyncio
import contextlib
import logging
import os
import signal
from pathlib import Path
from socket import socket

from settings import Settings
from settings.credentials import open_reader
from web import home, logs
from web.monitoring.metrics import serve_metrics
from web.processes.child import Child, Command
from web.processes.kept_process import KeptProcess, ReplacementFailed
from web.processes.machine import Machine, open_machine
from web.processes.process_metrics import ProcessMetrics
from web.processes.supervised import SERVER, WORKERS
from web.processes.terminal import has_terminal, write

log = logging.getLogger(__name__)


async def run_processes(settings: Settings, program: Path) -> None:
    """Run everything on this machine until canceled. A second cancellation ends the drain time.

    `program` is `app.py`. Raises SettingsError or ServerStartError.
    """
    logs.configure(settings.log_format)
    asked = asyncio.Event()
    if not has_terminal():
        # A terminal sends the same signal when it is closed, which must end the program.
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, asked.set)
    async with open_machine(settings) as machine:
        supervisor = Supervisor(machine, program, replace_when=asked)
        serving = serve_metrics(
            machine.metrics_listener, settings, machine.stores, show_processes=supervisor.metrics.show
        )
        async with serving:
            try:
                await supervisor.start()
                write(home.banner(machine.settings))
                await supervisor.supervise()
            finally:
                await supervisor.stop()


class Supervisor:
    """`replace_when` is set to ask for a replacement of all processes."""

    def __init__(self, machine: Machine, program: Path, *, replace_when: asyncio.Event) -> None:
        self._settings = machine.settings
        self._listener = machine.listener
        self._command = Command(program, _environment(machine))
        self._servers = [self._keep(f"server-{number}", SERVER) for number in range(1, self._settings.processes + 1)]
        self._workers = self._keep(WORKERS, WORKERS)
        self._all = [*self._servers, self._workers]
        self.metrics = ProcessMetrics(self._all)
        self._replace_when = replace_when

    async def start(self) -> None:
        """Start all processes, and return when they work. Raises ServerStartError."""
        starting = [asyncio.create_task(process.start()) for process in self._all]
        try:
            await asyncio.gather(*starting)
        finally:
            for task in starting:
                task.cancel()
            await asyncio.wait(starting)

    async def supervise(self) -> None:
        """Keep all processes running until canceled, and replace them when asked.

        Then make the servers not ready, and return after ONSALE_DRAIN_S.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._replace_when_asked())
                for process in self._all:
                    group.create_task(process.keep_running())
        finally:
            await self._leave()

    async def stop(self) -> None:
        """Stop the servers, then the workers."""
        self._listener.close()
        await asyncio.gather(*(process.stop() for process in self._servers))
        await self._workers.stop()

    async def _leave(self) -> None:
        """Make all servers not ready, and wait for ONSALE_DRAIN_S, or until canceled again."""
        for process in self._servers:
            for child in (process.child, process.leaving):
                if child is not None:
                    child.announce_departure()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(self._settings.drains_for_s)

    async def _replace_when_asked(self) -> None:
        while True:
            await self._replace_when.wait()
            self._replace_when.clear()
            try:
                for process in self._all:
                    await process.replace()
                    log.info("%s has been replaced", process.name)
            except ReplacementFailed as error:
                log.error("%s; it was stopped, and the earlier processes go on", error)
            else:
                log.info("all processes have been replaced")

    def _keep(self, name: str, kind: str) -> KeptProcess:
        listener: socket | None = self._listener if kind == SERVER else None

        async def start_child() -> Child:
            return await Child.start(self._command, kind, listener, on_end=self.metrics.keep)

        return KeptProcess(name, start_child)


def _environment(machine: Machine) -> dict[str, str]:
    """Return the environment of the children, with the addresses of the embedded stores.

    An address that was given may have a password and be a credential file, which the children read
    themselves.
    """
    given = open_reader(os.environ)
    addresses = {"REDIS_URL": machine.redis_url, "MONGO_URL": machine.mongo_url}
    embedded = {f"ONSALE_{name}": url for name, url in addresses.items() if given.optional(name) is None}
    return {**os.environ, **embedded}
