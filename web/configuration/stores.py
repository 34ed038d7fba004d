"""The stores of a process, from its settings."""

from contextlib import AbstractAsyncContextManager

from settings import Settings
from storage.connect import Stores, open_stores


def open_configured_stores(settings: Settings, redis_url: str, mongo_url: str) -> AbstractAsyncContextManager[Stores]:
    """Open the stores at the URLs, which may be those of embedded stores."""
    return open_stores(
        redis_url,
        mongo_url,
        settings.mongo_database,
        batched_holds=settings.batched_holds,
        declares_noeviction=settings.declares_noeviction,
    )
