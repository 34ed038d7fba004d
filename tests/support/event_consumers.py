"""Lines whose events are consumed, and time that passes without waiting for it."""

from typing import Any

from domain.concerts import Concert
from domain.queues import RoomSettings
from resolvers import queues
from storage.connect import Stores
from storage.hot.events import DeadLetter
from storage.keys import KINDS, concert_keys
from tests.support.sale import context, on_sale


async def make_queue(stores: Stores, *people: str) -> Concert:
    """Paused, so that nothing happens but that these people join."""
    room = RoomSettings(suspended=False, total_active_users=1, queue_all=True)
    concert = await on_sale(stores, 10, room=room)
    for who in people:
        await queues.join_queue(context(stores, who), concert.id)
    return concert


def stream(concert: Concert, kind: str = "events") -> str:
    return concert_keys(concert.id)[KINDS.index(kind)]


async def make_idle(stores: Stores, concert: Concert, event_id: str, idle_ms: int, *, group: str) -> None:
    """As if that much time had passed since somebody had the event in hand."""
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
