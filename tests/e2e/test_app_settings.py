"""`python app.py` opens its stores once, and its settings reach the stores and the server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from settings import Settings
from storage.connect import Stores, open_stores
from tests.support.local_application import running_here
from web.fast_path.answers import FastPath


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
    settings = Settings(
        data_dir=tmp_path,
        redis_url=valkey_url,
        mongo_url=mongo_url,
        mongo_database=mongo_database,
        batched_holds=False,
    )
    async with running_here(settings):
        pass
    assert len(opened) == 1
    assert hold_modes == [False]


@pytest.mark.parametrize("http_fast_path", [True, False])
async def test_setting_decides_whether_requests_take_the_fast_path(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    valkey_url: str,
    mongo_url: str,
    mongo_database: str,
    http_fast_path: bool,
) -> None:
    answered, answer = [], FastPath.answer

    async def record(self: FastPath, *given: object) -> object:
        answered.append(given)
        return await answer(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(FastPath, "answer", record)
    settings = Settings(
        data_dir=tmp_path,
        redis_url=valkey_url,
        mongo_url=mongo_url,
        mongo_database=mongo_database,
        http_fast_path=http_fast_path,
    )
    async with running_here(settings) as client:
        body, headers = {"query": "{ __typename }"}, {"Authorization": "Bearer not.a.token"}
        refused = await client.post("/graphql", json=body, headers=headers)
        assert (refused.status_code, (await client.post("/graphql", json=body)).status_code) == (401, 200)
    assert len(answered) == http_fast_path
