"""The queue gauges in `/metrics`, on real stores."""

from dataclasses import replace

from storage.connect import Stores
from storage.embedded.process import ServerProcess
from tests.support.exposed_metrics import read_samples
from tests.support.queue_steps import admit, join, make_people, pass_time, with_room
from web.monitoring.queue_gauges import QueueGauges


async def read(stores: Stores) -> dict[str, float]:
    return read_samples(await QueueGauges().show(stores))


async def test_queue_is_shown_with_its_caps(stores: Stores) -> None:
    concert = await with_room(stores, total_active_users=2, new_users_per_minute=50)
    await with_room(stores, suspended=True)
    await join(stores, concert, *make_people(5))
    assert await admit(stores, concert) == 2
    await pass_time(stores, concert, 10)
    slug = concert.slug
    assert await read(stores) == {
        "onsale_queue_gauges_read": 1,
        f"onsale_queue_waiting{slug}": 3,
        f"onsale_queue_occupancyslots{slug}": 2,
        f"onsale_queue_capslots{slug}": 2,
        f"onsale_queue_overshootslots{slug}": 0,
        f"onsale_queue_occupancycalls{slug}": 2,
        f"onsale_queue_capcalls{slug}": 50,
        f"onsale_queue_overshootcalls{slug}": 0,
    }


async def test_occupancy_above_the_cap_is_an_overshoot(stores: Stores) -> None:
    concert = await with_room(stores, total_active_users=4)
    await join(stores, concert, *make_people(4))
    assert await admit(stores, concert) == 4
    lowered = replace(concert, room=replace(concert.room, total_active_users=1))
    stores.concert_cache.put(replace(lowered, version=concert.version + 1))
    shown = await read(stores)
    assert shown[f"onsale_queue_capslots{concert.slug}"] == 1
    assert shown[f"onsale_queue_overshootslots{concert.slug}"] == 3


async def test_gauges_are_missing_while_redis_does_not_answer(own_stores: Stores, own_valkey: ServerProcess) -> None:
    await with_room(own_stores)
    assert (await read(own_stores))["onsale_queue_gauges_read"] == 1
    await own_valkey.stop()
    assert await read(own_stores) == {"onsale_queue_gauges_read": 0}


async def test_gauges_without_queues_are_read(stores: Stores) -> None:
    assert await read(stores) == {"onsale_queue_gauges_read": 1}
