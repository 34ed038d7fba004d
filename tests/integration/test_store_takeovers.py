"""Only a store that accepts writes takes over concerts. A process that is given a replica, or a
store that refuses writes, harms no other process.
"""

import pytest

from domain.concerts import Concert
from domain.errors import TemporarilyUnavailable
from storage.connect import Stores, connect_stores
from tests.support.databases import DatabasePool
from tests.support.sale import buy, hold, on_sale, opened, stock
from tests.support.split_brain import (
    Pair,
    is_refused,
    replicate,
    split,
    until_answered,
    until_copied,
    until_refused,
)
from tests.support.store_copies import until_trusted

ATTEMPTS = 3


pytestmark = pytest.mark.usefixtures("always_read")


async def fail_to_recover(stores: Stores, concert: Concert) -> None:
    """Let a process attempt recoveries in a store that refuses writes."""
    for _ in range(ATTEMPTS):
        with pytest.raises(TemporarilyUnavailable):
            await stores.holds.read_stock(concert)
        await stores.recovery.ensure(concert.id)


async def stays_in_use(stores: Stores, concert: Concert) -> bool:
    """Compare the concerts with MongoDB several times, and return whether they were never
    refused.
    """
    for _ in range(ATTEMPTS):
        await stores.concert_cache.list_all()
        await stores.superseded.settled()
        if await is_refused(stores, concert):
            return False
    return True


async def test_process_at_a_replica_takes_nothing_over(pair: Pair, databases: DatabasePool) -> None:
    """Today's failing value: the primary was refused by every process for a minute."""
    primary, replica = pair
    with databases.borrowed() as database:
        async with opened(primary.url, databases.url, database) as right:
            concert = await on_sale(right, 5)
            await replicate(primary, replica)
            await until_trusted(right, concert.id)
            await until_copied(primary, replica, concert)
            async with connect_stores(replica.url, databases.url, database) as wrong:
                await fail_to_recover(wrong, concert)
                assert await stays_in_use(right, concert)
                await buy(right, await hold(right, concert, 2))
                assert await stock(right, concert) == [(3, 0, 2)]


async def test_demoted_primary_does_not_take_its_concerts_back(pair: Pair, databases: DatabasePool) -> None:
    """Making the old primary a replica of the new one is the documented end of a split."""
    async with split(pair, databases) as (two, concert):
        await until_refused(two.left, concert)
        await replicate(two.new, two.old)
        await until_trusted(two.right, concert.id)
        await until_copied(two.new, two.old, concert)
        await fail_to_recover(two.left, concert)
        assert await stays_in_use(two.right, concert)
        await buy(two.right, await hold(two.right, concert, 4, who="bob"))
        two.proxy.target_url = two.new.url
        two.proxy.reset_connections()
        await until_answered(two.left, concert)
        assert await stock(two.left, concert) == [(12, 0, 8)]
