"""A process relies for a bounded time on an index that it has written, and for bounded people."""

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from domain.ids import ConcertId, PersonId
from storage.hot import person_concerts
from storage.hot.person_concerts import KNOWN_FOR_S, PersonConcerts
from storage.scripts import Script
from tests.support.snapshots import CONCERT

ANN, BEN, CYD = PersonId("ann"), PersonId("ben"), PersonId("cyd")


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Client:
    """A client whose store adds everything to the index."""

    def __init__(self) -> None:
        self.incarnation = "run1"
        self.sent = 0

    def send(self, script: Script, keys: tuple[str, ...], args: object) -> "asyncio.Future[list[Any]]":
        self.sent += 1
        answer = asyncio.get_running_loop().create_future()
        answer.set_result([b"ADDED"])
        return answer


def index_of(client: Client, clock: Clock | None = None) -> PersonConcerts:
    return PersonConcerts(cast(Any, client), clock=clock or Clock())


async def hold_at(index: PersonConcerts, epoch: int) -> None:
    """Add the concert for a hold that is read at this epoch."""
    addition = index.begin_addition(ANN, CONCERT)
    if not addition.is_complete_at(epoch):
        await addition.complete(epoch)


def test_addition_is_known_for_ten_minutes() -> None:
    clock = Clock()
    index = index_of(Client(), clock)
    assert index.known_epoch(ANN, CONCERT) is None
    index.remember(ANN, CONCERT, 3)
    clock.now_s += KNOWN_FOR_S
    assert index.known_epoch(ANN, CONCERT) == 3
    clock.now_s += 1
    assert index.known_epoch(ANN, CONCERT) is None


@pytest.mark.parametrize(
    "other", [replace(CONCERT, version=CONCERT.version + 1), replace(CONCERT, id=ConcertId("otherconcert"))]
)
def test_addition_is_known_for_one_version_of_one_concert(other: Any) -> None:
    index = index_of(Client())
    index.remember(ANN, CONCERT, 3)
    assert index.known_epoch(ANN, other) is None
    assert index.known_epoch(BEN, CONCERT) is None


def test_person_who_held_least_recently_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person_concerts, "MAX_KNOWN", 2)
    index = index_of(Client())
    for person_id in (ANN, BEN, CYD):
        index.remember(person_id, CONCERT, 1)
    assert [index.known_epoch(person_id, CONCERT) for person_id in (ANN, BEN, CYD)] == [None, 1, 1]


async def test_index_is_written_again_at_each_new_epoch() -> None:
    client = Client()
    index = index_of(client)
    written = []
    for epoch in (1, 1, 2, 2, 1):
        await hold_at(index, epoch)
        written.append(client.sent)
    assert written == [1, 1, 2, 2, 3]


async def test_addition_to_a_store_that_restarts_is_not_remembered() -> None:
    client = Client()
    index = index_of(client)
    addition = index.begin_addition(ANN, CONCERT)
    client.incarnation = "run2"
    await addition.complete(1)
    assert index.known_epoch(ANN, CONCERT) is None
