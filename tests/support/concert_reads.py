"""Records how concerts are read from MongoDB."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from storage.mongo.concerts import ConcertStore


@contextmanager
def recorded_reads() -> Iterator[list[str]]:
    """Record the name of each method called to read concerts from MongoDB."""
    reads: list[str] = []

    def recorded(name: str) -> Any:
        read = getattr(ConcertStore, name)

        async def record(self: ConcertStore, *args: Any, **options: Any) -> Any:
            reads.append(name)
            return await read(self, *args, **options)

        return record

    names = ("get", "get_by_slug", "page", "currency_of")
    with mock.patch.multiple(ConcertStore, **{name: recorded(name) for name in names}):
        yield reads
