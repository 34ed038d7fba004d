"""A revocation list is public, so frequent requests for it must not keep a process busy."""

import gzip
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from types import SimpleNamespace
from typing import cast

import pytest

from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId, TicketId
from domain.tickets.ticket import Revocation
from storage.connect import Stores
from storage.sync.detached import DetachedTasks
from tickets.concert_keys import ConcertKeys
from tickets.keys import TicketKeys
from web.tickets.gate_files import LIST_LIFE_S, LONG_READ_LIFE, LONGEST_LIFE_S, GateFiles

CONCERT = ConcertId("abcdefghjkmn")
KEYS = TicketKeys([bytes(range(32))])


@dataclass
class SlowTickets:
    """Revocations whose reading takes `read_s` of the clock."""

    read_s: float
    now_s: float = 1_000.0
    read_at: list[float] = field(default_factory=list)
    revocations: list[Revocation] = field(default_factory=list)
    sequence: int = 0

    async def list_revocations(self, concert_id: ConcertId) -> list[Revocation]:
        assert concert_id == CONCERT
        self.read_at.append(self.now_s)
        self.now_s += self.read_s
        return list(self.revocations)

    async def read_sequence(self, concert_id: ConcertId) -> int:
        assert concert_id == CONCERT
        return self.sequence

    async def raise_sequence(self, concert_id: ConcertId, sequence: int) -> None:
        assert concert_id == CONCERT
        self.sequence = max(self.sequence, sequence)


class NoStoredKeys:
    async def put(self, concert_id: ConcertId, keys: object) -> None:
        del concert_id, keys

    async def list(self, concert_id: ConcertId) -> dict[str, bytes]:
        del concert_id
        return {}


def make_files(tickets: SlowTickets) -> GateFiles:
    """Return the files of one process."""
    stores = cast(Stores, SimpleNamespace(tickets=tickets, detached_tasks=DetachedTasks()))
    return GateFiles(stores, KEYS, ConcertKeys(KEYS, NoStoredKeys()), clock=lambda: tickets.now_s)


async def read_times(tickets: SlowTickets, *, for_s: float) -> list[float]:
    """Ask for the list ten times a second, and return when it was read."""
    files = make_files(tickets)
    end_s = tickets.now_s + for_s
    while tickets.now_s < end_s:
        await files.show_list(CONCERT)
        tickets.now_s += 0.1
    return tickets.read_at


@pytest.mark.parametrize(
    ("read_s", "life_s"), [(0.01, LIST_LIFE_S), (0.5, 0.5 * LONG_READ_LIFE), (9.0, LONGEST_LIFE_S)]
)
async def test_list_is_read_rarely_if_reading_takes_long(read_s: float, life_s: float) -> None:
    times = await read_times(SlowTickets(read_s), for_s=3 * life_s)
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses
    assert all(life_s <= pause < life_s + 0.2 for pause in pauses)


async def shown_sequence(files: GateFiles) -> int:
    body = gzip.decompress(bytes((await files.show_list(CONCERT)).body))
    found: int = json.loads(body.partition(b"\n")[2])["sequence"]
    return found


async def test_no_process_shows_a_lower_sequence_than_another_did() -> None:
    tickets = SlowTickets(9.0)
    one, other = make_files(tickets), make_files(tickets)
    assert await shown_sequence(one) == 0
    tickets.revocations.append(Revocation(TicketId("a" * 32), 1, datetime.now(UTC)))
    assert await shown_sequence(one) == 0
    assert [await shown_sequence(other), await shown_sequence(one)] == [1, 1]
    # A stale read, such as one from a store that used to be the primary.
    tickets.revocations.clear()
    tickets.now_s += LONGEST_LIFE_S
    with pytest.raises(TemporarilyUnavailable):
        await one.show_list(CONCERT)
