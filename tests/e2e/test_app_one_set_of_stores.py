"""`python app.py` opens its stores once, with its settings; requests and workers share them."""

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
    hold_modes: list[bool] = []

    @asynccontextmanager
    async def counted(redis_url: str, mongo_url: str, database: str, **options: bool) -> AsyncIterator[Stores]:
        async with open_stores(redis_url, mongo_url, database, **options) as stores:
            opened.append(stores)
            hold_modes.append(options["batched_holds"])
            yield stores

    monkeypatch.setattr("web.configuration.stores.open_stores", counted)
    port = free_port()
    assert port is not None
    settings = Settings(
        port=port,
        data_dir=tmp_path,
        redis_url=valkey_url,
        mongo_url=mongo_url,
        mongo_database=mongo_database,
        demo="no",
        batched_holds=False,
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
    assert hold_modes == [False]
