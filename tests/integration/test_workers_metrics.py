"""The counters of a process that runs only workers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx2

from storage.connect import Stores
from storage.embedded.ports import free_port
from tests.support.waiting import wait_until
from tests.support.worker_steps import start_command


@contextlib.asynccontextmanager
async def ended(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()


async def test_workers_show_their_counters_on_a_separate_port(
    stores: Stores, valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    del stores
    port = free_port()
    environment = {
        "ONSALE_REDIS_URL": valkey_url,
        "ONSALE_MONGO_URL": mongo_url,
        "ONSALE_MONGO_DATABASE": mongo_database,
        "ONSALE_WORKERS_METRICS_PORT": str(port),
    }
    async with ended(await start_command("record", **environment)), httpx2.AsyncClient() as client:
        answers: list[httpx2.Response] = []

        async def answered() -> bool:
            with contextlib.suppress(httpx2.TransportError):
                answers.append(await client.get(f"http://127.0.0.1:{port}/metrics"))
            return bool(answers)

        await wait_until(answered, what="the counters of the workers")
        assert 'onsale_alarms_total{alarm="order_waits"} 0.0' in answers[0].text
        second = await start_command("record", **environment)
        output, _ = await second.communicate()
    assert second.returncode == 2
    assert f"the counters cannot be served at 127.0.0.1:{port}: Address already in use".encode() in output
