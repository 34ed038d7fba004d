"""Lottery secrets in a real MongoDB: one commitment, one reveal, and secrecy in between."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from pymongo.errors import PyMongoError

from domain.ids import ConcertId
from domain.lottery import Reveal, commitment_of, seed_of
from storage.mongo.client import Client, connect, database
from storage.mongo.lotteries import LotteryStore

CONCERT = ConcertId("concert")
DIGEST = "da39a3ee5e6b4b0d3255bfef95601890afd80709"


@pytest_asyncio.fixture
async def client(mongo_url: str) -> AsyncIterator[Client]:
    made = connect(mongo_url)
    yield made
    made.close()


@pytest.fixture
def lotteries(client: Client, mongo_database: str) -> LotteryStore:
    return LotteryStore(database(client, mongo_database))


async def reveal(lotteries: LotteryStore, *, fence: int = 0, registrations: int = 7) -> Reveal | None:
    return await lotteries.reveal(CONCERT, 1, registrations=registrations, digest=DIGEST, epoch=fence)


async def secret_of(client: Client, name: str, round_: int = 1) -> str:
    found = await client[name]["lotteries"].find_one({"_id": f"{CONCERT}:{round_}"})
    assert found is not None
    return str(found["secret"])


async def test_a_round_has_one_commitment(lotteries: LotteryStore, client: Client, mongo_database: str) -> None:
    made = await asyncio.gather(*[lotteries.commit(CONCERT, 1) for _ in range(20)])
    assert set(made) == {commitment_of(await secret_of(client, mongo_database))}
    assert await lotteries.commit(CONCERT, 2) not in made
    assert await lotteries.commit(ConcertId("other"), 1) not in made


async def test_a_reveal_combines_the_secret_and_the_registrations(
    lotteries: LotteryStore, client: Client, mongo_database: str
) -> None:
    commitment = await lotteries.commit(CONCERT, 1)
    secret = await secret_of(client, mongo_database)
    assert await lotteries.find_reveal(CONCERT, 1) is None
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    made = await reveal(lotteries)
    assert made is not None
    assert made == Reveal(1, 7, DIGEST, secret, seed_of(secret, DIGEST), commitment, made.revealed_at)
    assert commitment_of(made.secret) == commitment
    assert before <= made.revealed_at <= datetime.now(UTC)
    assert await lotteries.find_reveal(CONCERT, 1) == made
    assert await lotteries.find_reveal(CONCERT, 2) is None


async def test_later_reveals_return_the_first_one(lotteries: LotteryStore, client: Client, mongo_database: str) -> None:
    await lotteries.commit(CONCERT, 1)
    others = [LotteryStore(database(client, mongo_database)) for _ in range(8)]
    made = await asyncio.gather(*[reveal(store, registrations=count) for count, store in enumerate(others, 1)])
    assert len(set(made)) == 1
    assert await reveal(lotteries, registrations=99) == made[0]


async def test_no_secret_is_revealed_for_a_queue_frozen_before_recovery(lotteries: LotteryStore) -> None:
    await lotteries.commit(CONCERT, 1)
    fence = await lotteries.read_epoch(CONCERT, 1)
    assert await lotteries.reveal_or_invalidate(CONCERT, 1, epoch=3) is None
    assert await reveal(lotteries, fence=fence) is None
    assert await lotteries.reveal_or_invalidate(CONCERT, 1, epoch=2) is None
    assert await lotteries.read_epoch(CONCERT, 1) == 3
    made = await reveal(lotteries, fence=3, registrations=5)
    assert made is not None
    assert made.registrations == 5


async def test_a_recovery_after_the_reveal_changes_nothing(lotteries: LotteryStore) -> None:
    await lotteries.commit(CONCERT, 1)
    made = await reveal(lotteries)
    assert await lotteries.reveal_or_invalidate(CONCERT, 1, epoch=3) == made
    assert await lotteries.read_epoch(CONCERT, 1) == 0


async def test_a_round_without_a_commitment_has_nothing_to_reveal(lotteries: LotteryStore) -> None:
    with pytest.raises(LookupError):
        await lotteries.read_epoch(CONCERT, 1)
    assert await reveal(lotteries) is None
    assert await lotteries.reveal_or_invalidate(CONCERT, 1, epoch=3) is None
    assert await lotteries.find_reveal(CONCERT, 1) is None


async def test_a_known_reveal_is_found_without_the_database(mongo_url: str, mongo_database: str) -> None:
    client = connect(mongo_url)
    lotteries = LotteryStore(database(client, mongo_database))
    await lotteries.commit(CONCERT, 1)
    made = await reveal(lotteries)
    client.close()
    assert await lotteries.find_reveal(CONCERT, 1) == made


async def test_the_secret_is_not_logged_before_the_reveal(
    lotteries: LotteryStore, client: Client, mongo_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log level is DEBUG, at which the driver logs whole commands."""
    caplog.set_level(logging.DEBUG)
    await lotteries.commit(CONCERT, 1)
    secret = await secret_of(client, mongo_database)
    await lotteries.read_epoch(CONCERT, 1)
    await lotteries.reveal_or_invalidate(CONCERT, 1, epoch=3)
    assert await reveal(lotteries, fence=0) is None
    with pytest.raises(PyMongoError):
        await client[mongo_database]["lotteries"].insert_one({"_id": f"{CONCERT}:1"})
    assert secret not in caplog.text
    assert secret not in repr(vars(lotteries))
