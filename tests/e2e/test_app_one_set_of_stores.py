"""`python app.py` opens its stores once; requests and workers share them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

import app
from settings import Settings
from storage.connect import Stores, open_stores
from storage.embedded.ports import free_port
from tests.support.waiting import wait_until


async def test_process_opens_one_set_of_stores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    opened: list[Stores] = []

    @asynccontextmanager
    async def counted(redis_url: str, mongo_url: str, database: str) -> AsyncIterator[Stores]:
        async with open_stores(redis_url, mongo_url, database) as stores:
            opened.append(stores)
            yield stores

    monkeypatch.setattr(app, "open_stores", counted)
    port = free_port()
    assert port is not None
    settings = Settings(
        port=port,
        data_dir=tmp_path,
        redis_url=valkey_url,
        mongo_url=mongo_url,
        mongo_database=mongo_database,
        demo="no",
    )
    run = asyncio.create_task(app.run(settings))
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

        async def is_ready() -> bool:
            try:
                return (await client.get("/readyz")).status_code == 200
            except httpx2.TransportError:
                return False

        await wait_until(is_ready, timeout=60, what="the application")
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert len(opened) == 1
