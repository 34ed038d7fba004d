"""A running server's stores are found where they were named, or where it embeds them."""

import re
from pathlib import Path

import pytest

from bench.sale.sale_targets import SaleTarget, StoresUnknown, existing_target
from settings import Settings
from storage.embedded.lockfile import LockFile, LockHolder

URL = "http://127.0.0.1:8000/"


def embed(data_dir: Path, store: str, port: int) -> None:
    directory = data_dir / store
    directory.mkdir()
    with LockFile(directory / "child.lock") as lock:
        lock.record(LockHolder(1, port))


def test_named_stores_come_first(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, redis_url="redis://settings", mongo_url="mongodb://settings")
    assert existing_target(URL, settings, redis_url="redis://flag", mongo_url=None) == SaleTarget(
        urls=("http://127.0.0.1:8000",),
        issuer="http://127.0.0.1:8000/realms/onsale",
        redis_url="redis://flag",
        mongo_url="mongodb://settings",
        mongo_database="onsale",
    )


def test_embedded_stores_are_found_by_their_lock_files(tmp_path: Path) -> None:
    embed(tmp_path, "valkey", 20_001)
    embed(tmp_path, "mongod", 20_002)
    site = existing_target(
        URL, Settings(data_dir=tmp_path, oidc_issuer="http://issuer"), redis_url=None, mongo_url=None
    )
    assert (site.redis_url, site.issuer) == ("redis://127.0.0.1:20001/0", "http://issuer")
    assert site.mongo_url.startswith("mongodb://127.0.0.1:20002/")


def test_stores_that_cannot_be_found_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(StoresUnknown, match=re.escape("--redis-url")):
        existing_target(URL, Settings(data_dir=tmp_path), redis_url=None, mongo_url=None)
