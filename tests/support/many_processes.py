"""Runs `python app.py` with several processes, and acts on single ones."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2

from bench.clients.child_processes import find_children
from storage.embedded.ports import free_port
from tests.support.application import Application
from tests.support.exposed_metrics import read_samples


class ManyProcesses(Application):
    """An application with two server processes unless `settings` say otherwise."""

    def __init__(self, data_dir: Path, **settings: object) -> None:
        self.metrics_port = free_port()
        chosen: dict[str, Any] = {"PROCESSES": 2, "METRICS_PORT": self.metrics_port, **settings}
        super().__init__(data_dir, **chosen)

    def servers(self) -> list[int]:
        return find_children(self.process.pid, "server")

    def workers(self) -> list[int]:
        return find_children(self.process.pid, "workers")

    @property
    def metrics_url(self) -> str:
        return f"http://127.0.0.1:{self.metrics_port}/metrics"

    async def read_metrics(self) -> dict[str, float]:
        async with httpx2.AsyncClient(timeout=60) as client:
            return read_samples((await client.get(self.metrics_url)).content)


@contextlib.contextmanager
def suspended(*pids: int) -> Iterator[None]:
    """Stop the processes during the block, so that they answer nothing."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
