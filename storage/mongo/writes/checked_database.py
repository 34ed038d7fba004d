"""A database whose collections ask before each write. Reads are not asked about.

A check in each store could be forgotten. These collections are the only way to MongoDB, so no
write passes by the check, whichever request or worker makes it.
"""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from motor.motor_asyncio import AsyncIOMotorCollection, AsyncIOMotorDatabase

RequireWrites = Callable[[], Awaitable[None]]
"""Raises TemporarilyUnavailable if nothing may be written now."""

WRITES = (
    "bulk_write",
    "create_index",
    "create_indexes",
    "create_search_index",
    "create_search_indexes",
    "delete_many",
    "delete_one",
    "drop",
    "drop_index",
    "drop_indexes",
    "drop_search_index",
    "find_one_and_delete",
    "find_one_and_replace",
    "find_one_and_update",
    "insert_many",
    "insert_one",
    "rename",
    "replace_one",
    "update_many",
    "update_one",
    "update_search_index",
)


class CheckedCollection(AsyncIOMotorCollection[dict[str, Any]]):
    """Each method named in `WRITES` first calls `require_writes` of the database."""


class CheckedDatabase(AsyncIOMotorDatabase[dict[str, Any]]):
    require_writes: RequireWrites | None = None
    """None until the owner of the database sets it: until then, everything may be written."""

    def __getitem__(self, name: str) -> CheckedCollection:
        return CheckedCollection(cast(Any, self), name)  # the type stubs expect a Database of PyMongo

    def wrap(self, obj: Any) -> Any:
        """Return Motor's object for one of PyMongo's, such as this database with other options."""
        wrapped = super().wrap(obj)
        if isinstance(wrapped, CheckedDatabase):
            # The check may be replaced later, so it is looked up when it is needed.
            wrapped.require_writes = self._require_writes
        return wrapped

    async def _require_writes(self) -> None:
        if self.require_writes is not None:
            await self.require_writes()


def _checked(name: str) -> Callable[..., Awaitable[Any]]:
    write: Callable[..., Awaitable[Any]] = getattr(AsyncIOMotorCollection, name)

    async def checked(self: CheckedCollection, *args: Any, **kwargs: Any) -> Any:
        require_writes = self.database.require_writes
        if require_writes is not None:
            await require_writes()
        return await write(self, *args, **kwargs)

    return checked


for _name in WRITES:
    setattr(CheckedCollection, _name, _checked(_name))
