"""Two stores that are both primary: a process at the old one refuses the concerts that the other
has taken over, and uses the right one as soon as it is connected to it.
"""

import socket

import pytest

from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from storage.connect import open_stores
from storage.sync import superseded
from storage.sync.superseded import SupersededConcerts
from tests.support.databases import DatabasePool
from tests.support.sale import buy, check_invariants, hold, on_sale, opened, stock
from tests.support.split_brain import Pair, split, until_answered, until_refused
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("always_read")


async def test_old_primary_is_refused_and_the_new_one_sells(pair: Pair, databases: DatabasePool) -> None:
    async with split(pair, databases) as (two, concert):
        await until_refused(two.left, concert)
        with pytest.raises(TemporarilyUnavailable) as refusal:
            await hold(two.left, concert, 1, who="bob")
        assert refusal.value.retry_after_s == 2
        (problem,) = await two.left.problems()
        assert f"Redis at 127.0.0.1:{two.proxy.url.split(':')[2]} is an old primary" in problem
        assert "another Redis has taken over 1 concert, so their calls are refused" in problem
        assert await two.right.problems() == []
        await buy(two.right, await hold(two.right, concert, 4, who="bob"))
        assert await stock(two.right, concert) == [(12, 0, 8)]
        await check_invariants(two.right, concert)


async def test_refusal_ends_when_the_process_reaches_the_new_primary(pair: Pair, databases: DatabasePool) -> None:
    async with split(pair, databases) as (two, concert):
        await until_refused(two.left, concert)
        two.proxy.target_url = two.new.url
        two.proxy.reset_connections()
        await until_answered(two.left, concert)
        await buy(two.left, await hold(two.left, concert, 4, who="bob"))
        assert await stock(two.right, concert) == [(12, 0, 8)]
        assert await two.left.problems() == []


async def test_store_takes_its_concerts_back_if_the_other_does_not_stay(
    pair: Pair, databases: DatabasePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The orders that the other store sold are recorded again, so no ticket is sold twice."""
    async with split(pair, databases) as (two, concert):
        await buy(two.right, await hold(two.right, concert, 4, who="bob"))
        await until_refused(two.left, concert)
        await two.new.kill()
        monkeypatch.setattr(superseded, "TAKE_BACK_AFTER_S", 0.0)
        await until_answered(two.left, concert)
        assert await stock(two.left, concert) == [(12, 0, 8)]
        with pytest.raises(Exception, match="4"):
            await hold(two.left, concert, 1, who="bob")
        await check_invariants(two.left, concert)
        assert await two.left.problems() == []


async def test_restarted_store_is_not_superseded(pair: Pair, databases: DatabasePool) -> None:
    """Other processes that recover the concert at the same time do not raise a false alarm."""
    old, _ = pair
    with databases.borrowed() as database:
        async with opened(old.url, databases.url, database) as one, opened(old.url, databases.url, database) as two:
            concert = await on_sale(one, 5)
            for _ in range(3):
                await old.kill()
                await old.start()
                for stores in (one, two):
                    await until_answered(stores, concert)
            for stores in (one, two):
                await stores.concert_cache.list_all()
                assert stores.superseded.count() == 0


async def test_lasting_split_leaves_the_concerts_where_they_are(pair: Pair, databases: DatabasePool) -> None:
    """Failing value before: the concert changed sides once a minute."""
    async with split(pair, databases) as (two, concert):
        now_s, taken_back = [0.0], list[ConcertId]()
        left = SupersededConcerts(two.left.concerts, two.left.hot_state, two.left.store_leases, clock=lambda: now_s[0])

        async def take_back(concert_id: ConcertId, *, from_scratch: bool) -> bool:
            taken_back.append(concert_id)
            return True

        async def check() -> None:
            stored = await two.left.concerts.get(concert.id)
            assert stored is not None
            left.compare([stored])
            await left.settled()

        left.take_back_with(take_back)
        for _ in range(5):
            await two.right.store_watch.renew()
            await check()
            assert left.contains(concert.id)
            now_s[0] += superseded.TAKE_BACK_AFTER_S
        assert taken_back == []
        # From here on, no process uses the other store.
        await check()
        assert taken_back == [concert.id]
        await left.aclose()


async def test_refusal_names_the_other_store_and_the_host_that_uses_it(pair: Pair, databases: DatabasePool) -> None:
    async with split(pair, databases) as (two, concert):
        await two.right.store_watch.renew()
        await until_refused(two.left, concert)
        (problem,) = await two.left.problems()
        other = f"another Redis at 127.0.0.1:{two.new.port}/0 (used on host {socket.gethostname()})"
        assert f"{other} has taken over 1 concert, so their calls are refused here" in problem
        assert "set ONSALE_REDIS_URL to the new primary, or make this Redis its replica" in problem


async def test_process_without_calls_notices_the_end_of_a_split(pair: Pair, databases: DatabasePool) -> None:
    """A server that is not ready gets no calls. Failing value before: it stayed that way."""
    async with (
        split(pair, databases) as (two, _),
        open_stores(two.proxy.url, databases.url, two.left.mongo.name) as idle,
    ):

        async def is_old() -> bool:
            return any("is an old primary" in problem for problem in await idle.problems())

        async def is_ready() -> bool:
            return await idle.problems() == []

        await wait_until(is_old, what="the refusal")
        two.proxy.target_url = two.new.url
        two.proxy.reset_connections()
        await wait_until(is_ready, what="readiness")
