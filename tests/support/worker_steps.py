"""Runs workers for tests, either as a task that lasts for a block, or as a command."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from payments.saga.order_payments import OrderPayments
from storage.connect import Stores
from workers.runner import ALL, run_workers


@asynccontextmanager
async def running_workers(
    stores: Stores, redis_url: str, *names: str, payments: OrderPayments | None = None
) -> AsyncIterator[None]:
    """Run the named workers, or all of them, within the block."""
    task = asyncio.create_task(run_workers(stores, redis_url, names or ALL, payments=payments))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def start_command(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    """Start `python -m workers` with these arguments."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "workers",
        *arguments,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
