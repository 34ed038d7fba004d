"""Copies and restores a store's data, and waits until the store is trusted again."""

import shutil
from pathlib import Path

from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from storage.connect import Stores
from storage.embedded.process import ServerProcess
from storage.keys import concert_keys
from tests.support.hot_keys import replace_incarnation
from tests.support.waiting import wait_until


class ConcertCopy:
    """A copy of one concert's keys."""

    def __init__(self, stores: Stores, concert: Concert) -> None:
        self._stores = stores
        self._concert = concert
        self._names = concert_keys(concert.id)
        self._contents: list[bytes | None] = []

    async def take(self) -> "ConcertCopy":
        self._contents = [await self._stores.script_client.run_command("DUMP", name) for name in self._names]
        return self

    async def put_back(self) -> None:
        """Restore the keys as a failover to an older replica would; this requires a recovery."""
        await self.wipe()
        for name, content in zip(self._names, self._contents, strict=True):
            if content is not None:
                await self._stores.script_client.run_command("RESTORE", name, "0", content)
        await replace_incarnation(self._stores, self._concert, "older")

    async def wipe(self) -> None:
        await self._stores.script_client.run_command("DEL", *self._names)


class StoreCopy:
    """A copy of all of a store's files."""

    def __init__(self, child: ServerProcess, directory: Path) -> None:
        self._child = child
        self._directory = directory

    async def take(self) -> None:
        await self._child.kill()
        shutil.copytree(self._child.directory / "appendonlydir", self._directory)
        await self._child.start()

    async def put_back(self) -> None:
        """Kill the store, restore its files, and start it again; clients have to reconnect."""
        await self._child.kill()
        shutil.rmtree(self._child.directory / "appendonlydir")
        shutil.copytree(self._directory, self._child.directory / "appendonlydir")
        await self._child.start()


async def restart(child: ServerProcess) -> None:
    await child.kill()
    await child.start()


async def until_trusted(stores: Stores, concert_id: ConcertId) -> None:
    """Wait until the store is trusted for a concert, starting a recovery if one is needed."""

    async def is_trusted() -> bool:
        try:
            await stores.queues.read_queue(concert_id)
        except TemporarilyUnavailable:
            return False
        return True

    await wait_until(is_trusted, what="the recovery")
