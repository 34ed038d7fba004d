"""The sale auditor reads calls, slots and departures from the store."""

import asyncio
import time

from redis.asyncio import Redis

from domain.queues import RoomSettings
from proofs.sale.records.audit import Auditor
from resolvers import queues
from storage.hot.hot_state import AdmissionRun
from tests.support.sale import context, on_sale, opened
from tests.support.waiting import wait_until

ROOM = RoomSettings(suspended=False, total_active_users=2, new_users_per_minute=100)


async def test_auditor_reads_admissions_from_the_store(valkey_url: str, mongo_url: str, mongo_database: str) -> None:
    async with (
        opened(valkey_url, mongo_url, mongo_database) as stores,
        Redis.from_url(valkey_url, decode_responses=True) as redis,
    ):
        concert = await on_sale(stores, 10, room=ROOM)
        for who in ("ada", "bob", "cleo", "dora"):
            await queues.join_queue(context(stores, who), concert.id)
        await queues.leave_queue(context(stores, "bob"), concert.id)
        auditor = Auditor(redis, concert.id)
        polling = asyncio.create_task(auditor.poll())
        began_ms = time.time() * 1000
        assert await stores.hot_state.run_admission(concert.id, bound=100) == AdmissionRun("RAN", 2)
        await wait_until(lambda: auditor.most_slots == 2)
        for who in ("ada", "cleo"):
            await queues.leave_queue(context(stores, who), concert.id)
        polling.cancel()
        audit = await auditor.finish()
    # The worker made two calls; the third filled the slot that ada left.
    assert sum(audit.calls.values()) == 3
    assert all(began_ms // 1000 <= second <= time.time() for second in audit.calls)
    assert len(audit.called_ms) == 3
    assert (audit.most_slots, audit.serving, audit.tail, audit.departed) == (2, 4, 4, frozenset({2}))
