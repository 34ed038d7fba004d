"""`python -m workers` that starts before the payment sandbox of `python app.py`."""

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from payments.embedded_sandbox import FOLDER
from storage.connect import Stores
from storage.mongo.order_batch import Outcome
from tests.support.payment_orders import pending_order
from tests.support.sandbox import running_sandbox
from tests.support.waiting import wait_until
from tests.support.worker_steps import start_command


async def test_order_worker_leases_nothing_until_a_sandbox_runs(
    stores: Stores, valkey_url: str, mongo_url: str, mongo_database: str, tmp_path: Path
) -> None:
    due = pending_order("due", 1, work_at=datetime.now(UTC) - timedelta(hours=1))
    assert await stores.order_batch.insert(due) is Outcome.RECORDED
    worker = await start_command(
        "orders",
        ONSALE_REDIS_URL=valkey_url,
        ONSALE_MONGO_URL=mongo_url,
        ONSALE_MONGO_DATABASE=mongo_database,
        ONSALE_DATA_DIR=str(tmp_path),
    )
    assert worker.stdout is not None
    try:
        output = b""
        while b"wait for one" not in output:
            line = await worker.stdout.readline()
            assert line, output
            output += line
        stored = await stores.orders.collection.find_one({"_id": due.id})
        assert stored is not None
        assert "leaseId" not in stored
        async with running_sandbox(tmp_path / FOLDER):

            async def is_leased() -> bool:
                found = await stores.orders.collection.find_one({"_id": due.id})
                return found is not None and found["version"] > due.version

            await wait_until(is_leased, what="the order to be leased")
    finally:
        with contextlib.suppress(ProcessLookupError):
            worker.terminate()
        await worker.communicate()
