"""Debian's Prometheus, which scrapes a target every second."""

import asyncio
import contextlib
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from storage.embedded.ports import free_port
from tests.support.waiting import wait_until

START_TIMEOUT_S = 60.0
_CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs: [{{job_name: onsale, static_configs: [{{targets: ["{target}"]}}]}}]
"""

_SERVER, _TOOL = shutil.which("prometheus"), shutil.which("promtool")
needs_prometheus = pytest.mark.skipif(
    _SERVER is None or _TOOL is None,
    reason="Prometheus is missing; `make test-programs` installs it",
)


@dataclass(frozen=True, slots=True)
class Prometheus:
    url: str

    async def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return the labels and the value of each series of an instant query."""
        async with httpx2.AsyncClient(base_url=self.url, timeout=30) as client:
            answer = await client.get("/api/v1/query", params={"query": expression})
        assert answer.status_code == 200, answer.text
        return [(row["metric"], float(row["value"][1])) for row in answer.json()["data"]["result"]]

    async def is_positive(self, expression: str) -> bool:
        return any(value > 0 for _, value in await self.query(expression))


def _write_config(folder: Path, target: str) -> Path:
    folder.mkdir()
    config = folder / "prometheus.yml"
    config.write_text(_CONFIG.format(target=target))
    return config


@asynccontextmanager
async def running_prometheus(folder: Path, *, target: str) -> AsyncIterator[Prometheus]:
    """Run Prometheus during the block. `target` is `host:port`."""
    port = free_port()
    config = _write_config(folder, target)
    options = {
        "config.file": config,
        "storage.tsdb.path": folder / "data",
        "web.listen-address": f"127.0.0.1:{port}",
    }
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            _SERVER or "prometheus", *(f"--{name}={value}" for name, value in options.items()), stdout=log, stderr=log
        )
    made = Prometheus(f"http://127.0.0.1:{port}")

    async def has_scraped() -> bool:
        assert process.returncode is None, (folder / "log").read_text()
        with contextlib.suppress(httpx2.TransportError, AssertionError, json.JSONDecodeError):
            return await made.is_positive("up")
        return False

    try:
        await wait_until(has_scraped, timeout=START_TIMEOUT_S, what="the first scrape")
        yield made
    finally:
        process.terminate()
        await process.wait()


def lint_metrics(exposed: bytes) -> str:
    """Return what `promtool check metrics` complains about, or an empty string."""
    assert _TOOL is not None
    checked = subprocess.run([_TOOL, "check", "metrics"], input=exposed, capture_output=True, check=False, timeout=60)
    return (checked.stdout + checked.stderr).decode()
