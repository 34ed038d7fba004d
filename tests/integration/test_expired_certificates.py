"""A store whose TLS certificate has expired is refused. The problem says so and names the setting,
nothing is lost, and the sale continues without a restart once the certificate is renewed.
"""

import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from domain.errors import TemporarilyUnavailable
from storage.connect import Stores
from tests.support.certificates import Authority, make_authority
from tests.support.sale import buy, check_invariants, hold, is_ready, on_sale, opened, stock
from tests.support.store_proxy import StoreProxy
from tests.support.waiting import wait_until

EXPIRED, VALID = -0.5, 1.0


class Site:
    """Both stores behind TLS, with certificates that the test replaces."""

    def __init__(self, directory: Path, redis_url: str, mongo_url: str) -> None:
        self._file = directory / "server.pem"
        self._authority: Authority = make_authority(directory)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.use_certificate(days=VALID)
        self.redis = StoreProxy(redis_url, tls=self._tls)
        self.mongo = StoreProxy(mongo_url, tls=self._tls)

    def use_certificate(self, *, days: float) -> None:
        self._tls.load_cert_chain(self._authority.issue(self._file, days=days))

    def reset_connections(self) -> None:
        self.redis.reset_connections()
        self.mongo.reset_connections()

    @asynccontextmanager
    async def opened(self, database: str) -> AsyncIterator[Stores]:
        redis_url = f"rediss://127.0.0.1:{self.redis.port}/0?ssl_ca_certs={self._authority.file}"
        mongo_url = f"mongodb://127.0.0.1:{self.mongo.port}/?tls=true&tlsCAFile={self._authority.file}"
        async with opened(redis_url, f"{mongo_url}&directConnection=true", database) as stores:
            yield stores


async def problem_of(stores: Stores, store: str, what: str) -> str:
    """Wait until a problem of this store names this, and return it."""
    found: list[str] = []

    async def is_named() -> bool:
        found[:] = [text for text in await stores.problems() if text.startswith(store) and what in text]
        return bool(found)

    await wait_until(is_named, what=what)
    return found[0]


async def test_expired_certificate_is_named_and_its_renewal_suffices(
    valkey_url: str, mongo_url: str, mongo_database: str, tmp_path: Path
) -> None:
    site = Site(tmp_path, valkey_url, mongo_url)
    async with site.redis.running(), site.mongo.running(), site.opened(mongo_database) as stores:
        concert = await on_sale(stores, 10)
        held = await hold(stores, concert, 2)
        site.use_certificate(days=EXPIRED)
        site.reset_connections()
        for name, proxy in (("Redis", site.redis), ("MongoDB", site.mongo)):
            problem = await problem_of(stores, f"{name} at 127.0.0.1:{proxy.port}", "has a TLS certificate")
            assert "that is refused:" in problem
            assert "certificate has expired" in problem
            assert re.search(r"renew it, or correct (ssl_ca_certs|tlsCAFile) in ONSALE_(REDIS|MONGO)_URL$", problem)
        with pytest.raises(TemporarilyUnavailable):
            await buy(stores, held)
        site.use_certificate(days=VALID)
        await wait_until(lambda: is_ready(stores), what="readiness")
        await buy(stores, held)
        assert await stock(stores, concert) == [(8, 0, 2)]
        await check_invariants(stores, concert)
