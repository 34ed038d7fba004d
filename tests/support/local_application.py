"""Runs `python app.py` in the event loop of a test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx2
import pytest

import app
from settings import Settings
from storage.embedded.ports import free_port
from tests.support.waiting import wait_until


@asynccontextmanager
async def running_here(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """Run the application on a free port within the block, and yield a client once it is ready."""
    port = free_port()
    assert port is not None
    run = asyncio.create_task(app.run(replace(settings, port=port, demo="no")))
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

        async def is_ready() -> bool:
            try:
                return (await client.get("/readyz")).status_code == 200
            except httpx2.TransportError:
                return False

        await wait_until(is_ready, timeout=60, what="the application")
        yield client
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
