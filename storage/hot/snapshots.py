"""The snapshot of a concert that the hub publishes.

One script reads the queue, the stock and the changes at one version.
"""

from dataclasses import dataclass

from domain.concerts import Concert
from domain.ids import ConcertId, PersonId
from domain.stock import Stock
from storage import scripts
from storage.hot import replies
from storage.hot.guarded_client import GuardedClient
from storage.hot.holds import decode_stock
from storage.hot.queue_state import Changes, ChangesPage, QueueState, decode_changes_page, decode_queue_state
from storage.hot.script_client import Reply

CHANGES_PAGE_SIZE = 5_000


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    state: QueueState
    stock_fields: Reply
    changes: Changes

    def stock(self, concert: Concert) -> Stock:
        return decode_stock(self.stock_fields, concert)


class SnapshotStore:
    """Reads snapshots, for the hub only.

    `read` clears the concert's `hinted` flag, so that the next change publishes a hint again.
    """

    def __init__(self, client: GuardedClient) -> None:
        self._client = client

    async def read(self, concert_id: ConcertId, *, after: int) -> StoredSnapshot:
        """Return the snapshot, with the changes since version `after`.

        Raises TemporarilyUnavailable.
        """
        word, rest = await self._client.call(scripts.READ_SNAPSHOT, concert_id, after, CHANGES_PAGE_SIZE)
        replies.expect(scripts.READ_SNAPSHOT, word, "SNAPSHOT")
        queue, stock, changes = replies.lists(rest)
        first = decode_changes_page(changes)
        return StoredSnapshot(decode_queue_state(queue), stock, await self._read_rest(concert_id, first, after=after))

    async def _read_rest(self, concert_id: ConcertId, page: ChangesPage, *, after: int) -> Changes:
        """Read further pages until one is not full, and return all changes.

        A page includes all the changes at its last version.
        """
        people: dict[PersonId, None] = dict.fromkeys(page.people)
        epoch, is_complete = page.epoch, after >= page.floor
        while is_complete and len(page.people) >= CHANGES_PAGE_SIZE:
            word, rest = await self._client.call(scripts.READ_CHANGES, concert_id, page.last_version, CHANGES_PAGE_SIZE)
            replies.expect(scripts.READ_CHANGES, word, "CHANGES")
            page = decode_changes_page(replies.lists(rest)[0])
            is_complete = after >= page.floor and page.epoch == epoch
            people.update(dict.fromkeys(page.people))
        return Changes(page.epoch, page.version, tuple(people), is_complete)
