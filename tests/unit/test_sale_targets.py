"""A sale targets a server and its stores; if the stores are unknown, the sale is refused."""

from pathlib import Path

import pytest

from proofs.sale.sale_targets import SaleTarget, StoresUnknown, existing_target
from settings import Settings

URL = "http://localhost:8000"
REDIS, MONGO = "redis://localhost:1", "mongodb://localhost:2"


def settings(data_dir: Path) -> Settings:
    return Settings(data_dir=data_dir, redis_url=None, mongo_url=None, mongo_database="shop")


def test_stores_given_as_options_are_the_target(tmp_path: Path) -> None:
    assert existing_target(f"{URL}/", settings(tmp_path), redis_url=REDIS, mongo_url=MONGO) == SaleTarget(
        urls=(URL,), issuer=f"{URL}/realms/onsale", redis_url=REDIS, mongo_url=MONGO, mongo_database="shop"
    )


@pytest.mark.parametrize(
    ("store", "redis_url", "mongo_url"), [("valkey", None, MONGO), ("mongod", REDIS, None), ("valkey", None, None)]
)
@pytest.mark.parametrize("has_lock_file", [False, True])
def test_error_names_the_unknown_store_and_how_to_specify_it(
    tmp_path: Path, store: str, redis_url: str | None, mongo_url: str | None, has_lock_file: bool
) -> None:
    if has_lock_file:
        (tmp_path / store).mkdir()
        (tmp_path / store / "child.lock").touch()
    with pytest.raises(StoresUnknown) as refused:
        existing_target(URL, settings(tmp_path), redis_url=redis_url, mongo_url=mongo_url)
    for words in (str(tmp_path / store), "--redis-url", "--mongo-url", "ONSALE_DATA_DIR"):
        assert words in str(refused.value)
