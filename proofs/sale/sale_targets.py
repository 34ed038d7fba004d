"""The target of a sale: the servers that the people use, and their stores."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from payments.embedded_sandbox import find_embedded_sandbox
from settings import Settings
from storage.embedded import supervisor
from storage.embedded.lockfile import LockFile
from storage.embedded.process import ServerProcess


class StoresUnknown(RuntimeError):
    """Raised if the stores of a server are not known; the message says how to specify them."""


@dataclass(frozen=True, slots=True)
class SaleTarget:
    urls: tuple[str, ...]
    """The URLs of the servers, each `http://host:port`."""
    issuer: str
    redis_url: str
    mongo_url: str
    mongo_database: str
    sandbox_url: str | None = None
    """The payment sandbox, whose ledger is compared with the orders."""
    is_disposable: bool = False
    """Whether the servers were started for this sale, so demo concerts may be added to them."""


def existing_target(url: str, settings: Settings, *, redis_url: str | None, mongo_url: str | None) -> SaleTarget:
    """Return a running server as a target, with the given stores or else its embedded stores.

    Raises StoresUnknown.
    """
    url = url.rstrip("/")
    return SaleTarget(
        urls=(url,),
        issuer=settings.oidc.issuer or f"{url}/realms/onsale",
        redis_url=redis_url or settings.redis_url or _embedded(settings.data_dir / "valkey", _valkey),
        mongo_url=mongo_url or settings.mongo_url or _embedded(settings.data_dir / "mongod", _mongod),
        mongo_database=settings.mongo_database,
        sandbox_url=find_embedded_sandbox(settings.payment, settings.data_dir).url,
    )


def _embedded(directory: Path, child_at: Callable[[Path, int], ServerProcess]) -> str:
    path = directory / "child.lock"
    if path.exists():
        with LockFile(path) as lock:
            holder = lock.last_holder()
        if holder is not None:
            return child_at(directory, holder.port).url
    raise StoresUnknown(
        f"{directory} has no running store, so the records cannot be checked; "
        "specify that server's stores with --redis-url and --mongo-url, or its data with ONSALE_DATA_DIR"
    )


def _valkey(directory: Path, port: int) -> ServerProcess:
    return supervisor.make_valkey(directory, port=port)


def _mongod(directory: Path, port: int) -> ServerProcess:
    return supervisor.make_mongod(directory, port=port)
