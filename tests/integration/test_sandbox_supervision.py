"""A sandbox that runs beside the embedded stores is restarted when it dies."""

import os
import signal
from pathlib import Path

import httpx2

from payments.sandbox.defaults import SECRET_KEY, WEBHOOK_SECRET
from payments.sandbox.process import run_sandbox
from storage.embedded.lockfile import LockFile
from storage.embedded.ports import accepts_connections
from tests.support.waiting import wait_until
from tests.support.webhook_receiver import receiving_webhooks


def _pid(directory: Path) -> int:
    with LockFile(directory / "child.lock") as lock:
        holder = lock.last_holder()
    return holder.pid if holder else 0


async def test_killed_sandbox_is_restarted_with_its_data(tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {SECRET_KEY}"}
    async with (
        receiving_webhooks() as receiver,
        run_sandbox(tmp_path, webhook=receiver.url, secret=WEBHOOK_SECRET) as url,
        httpx2.AsyncClient(base_url=url, headers=headers, timeout=60) as client,
    ):
        fields = {"amount": 500, "currency": "eur", "confirm": "true", "payment_method": "pm_card_visa"}
        intent = (await client.post("/v1/payment_intents", data=fields)).json()
        old_pid = _pid(tmp_path)
        os.kill(old_pid, signal.SIGKILL)

        async def is_back() -> bool:
            try:
                response = await client.get(f"/v1/payment_intents/{intent['id']}")
            except httpx2.TransportError:
                return False
            return bool(response.json()["status"] == "succeeded") and _pid(tmp_path) not in (0, old_pid)

        await wait_until(is_back, what="the new process")
        await receiver.wait_for(intent["id"])


async def test_sandbox_stops_with_the_block_that_runs_it(tmp_path: Path) -> None:
    async with run_sandbox(tmp_path, webhook="http://127.0.0.1:9/", secret=WEBHOOK_SECRET) as url:
        port = int(url.rpartition(":")[2])
        assert accepts_connections(port)

    assert not accepts_connections(port)
