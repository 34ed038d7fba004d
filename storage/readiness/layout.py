"""Keeps a process from using data that a newer version of Onsale has written.

Each store has the number of the layout of its data: the meaning of its keys, fields and documents.
A process that finds a number above its own refuses all calls of Redis and all writes in MongoDB,
is not ready, and creates no index, until a store with a known layout is back.
"""

import asyncio
import logging
from contextlib import suppress

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from domain.errors import TemporarilyUnavailable
from storage.hot.script_client import ScriptClient
from storage.layout import LAYOUT, OLDER
from storage.mongo.installation import InstallationStore
from storage.mongo.writes.checked_database import CheckedDatabase
from storage.readiness.redis_state import read_redis_state

log = logging.getLogger(__name__)

NOTICED_WITHIN_S = 5.0
"""How long a process that raises the number of MongoDB waits before it converts anything. Processes
of the earlier version notice the new number within two seconds.
"""


class LayoutCheck:
    def __init__(
        self,
        client: ScriptClient,
        mongo: CheckedDatabase,
        installation: InstallationStore,
        *,
        redis_address: str,
        mongo_address: str,
    ) -> None:
        self._client = client
        self._installation = installation
        self._names = {"Redis": f"Redis at {redis_address}", "MongoDB": f"MongoDB at {mongo_address}"}
        self._newer: dict[str, int] = {}
        """The stores with newer layouts, and the numbers of these."""
        self._is_mongodb_known = False
        self._is_logged = False
        mongo.require_writes = self._require_writes

    @property
    def problem(self) -> str | None:
        """Return a sentence if a store has a newer layout: which, its number, and what to do."""
        if not self._newer:
            return None
        newer = [(name, self._newer[store]) for store, name in self._names.items() if store in self._newer]
        found = " and ".join(f"{name} has layout {number}" for name, number in newer)
        return (
            f"{found}, written by a newer version of Onsale, but this process knows only layouts up to {LAYOUT},"
            " so it uses neither store; upgrade this process, or restore a backup from before the upgrade"
        )

    async def check(self) -> None:
        """Read the numbers of both stores. One that cannot be read now stays as it was."""
        await asyncio.gather(self._check_redis(), self._check_mongodb())

    async def claim(self) -> bool:
        """Record in MongoDB that processes write in this layout, before documents are converted.
        Return False if it has a newer one.

        Raises PyMongoError or TemporarilyUnavailable.
        """
        before = await self._read_mongodb()
        if before > LAYOUT:
            return False
        if before < LAYOUT:
            await self._installation.raise_layout(LAYOUT)
        if 0 < before < LAYOUT:
            place = self._names["MongoDB"]
            log.warning("%s is converted from layout %d to %d, which earlier versions refuse", place, before, LAYOUT)
            await asyncio.sleep(NOTICED_WITHIN_S)
        return True

    async def _check_redis(self) -> None:
        try:
            state = await read_redis_state(self._client)
        except (TemporarilyUnavailable, RedisError, OSError):
            return
        self._note("Redis", state.layout)

    async def _check_mongodb(self) -> None:
        with suppress(PyMongoError):
            await self._read_mongodb()

    async def _read_mongodb(self) -> int:
        number = await self._installation.read_layout()
        self._note("MongoDB", number)
        return number

    async def _require_writes(self) -> None:
        if not self._is_mongodb_known:
            await self._read_mongodb()
        if self._newer:
            raise TemporarilyUnavailable(OLDER)

    def _note(self, store: str, number: int) -> None:
        if store == "MongoDB":
            self._is_mongodb_known = True
        self._newer.pop(store, None)
        if number > LAYOUT:
            self._newer[store] = number
        self._client.refuse_calls(OLDER if self._newer else None)
        if bool(self._newer) != self._is_logged:
            self._is_logged = bool(self._newer)
            log.warning("%s", self.problem or "both stores have known layouts again, so they are used")
