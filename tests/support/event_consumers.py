"""Test steps for event consumers: create events, change their idle time, read dead letters."""

from typing import Any

from domain.concerts import Concert
from resolvers import queues
from storage.connect import Stores
from storage.hot.events import DeadLetter
from tests.support.hot_keys import concert_key
from tests.support.queue_steps import with_room
from tests.support.sale import context


async def make_queue(stores: Stores, *people: str) -> Concert:
    """Return a concert with these people in its queue, which is paused so that no one is called."""
    concert = await with_room(stores, queue_all=True)
    for who in people:
        await queues.join_queue(context(stores, who), concert.id)
    return concert


def stream(concert: Concert, kind: str = "events") -> str:
    return concert_key(concert, kind)


async def make_idle(stores: Stores, concert: Concert, event_id: str, idle_ms: int, *, group: str) -> None:
    """Set the time since an event's last delivery to `idle_ms`."""
    ((_, holder, _, tries),) = await stores.script_client.run_command(
        "XPENDING", stream(concert), group, event_id, event_id, "1"
    )
    command = ("XCLAIM", stream(concert), group, holder, "0", event_id, "IDLE", str(idle_ms))
    await stores.script_client.run_command(*command, "RETRYCOUNT", str(tries), "JUSTID")


async def length(stores: Stores, concert: Concert, kind: str = "events") -> int:
    counted: Any = await stores.script_client.run_command("XLEN", stream(concert, kind))
    return int(counted)


async def letters(stores: Stores, concert: Concert) -> list[DeadLetter]:
    return [letter async for letter in stores.events.dead_letters(concert.id)]
