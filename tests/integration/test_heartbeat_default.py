"""A hidden tab runs timers once a minute, often enough by default to keep its entry alive."""

from dataclasses import replace
from typing import Any

from graphql import build_schema

from domain.ids import PersonId
from domain.queues import RoomSettings
from resolvers import rooms
from schema import sdl
from storage.connect import Stores
from tests.support.queue_steps import join, pass_time, states, with_room
from tests.support.sale import on_sale, organizer

DEFAULT_MS = RoomSettings().heartbeat_timeout_ms


async def test_one_heartbeat_per_minute_keeps_an_entry_alive_by_default(any_stores: Stores) -> None:
    concert = await with_room(any_stores, heartbeat_timeout_ms=DEFAULT_MS, queue_all=True)
    await join(any_stores, concert, "ann", "ben")
    for _ in range(3):
        await pass_time(any_stores, concert, 60)
        await any_stores.queues.heartbeat(concert.id, PersonId("ann"))
    assert await states(any_stores, concert, "ann", "ben") == ["WAITING", "EXPIRED"]


async def test_stored_concert_keeps_its_heartbeat_timeout(stores: Stores) -> None:
    before = await on_sale(stores, 10, room=replace(RoomSettings(), suspended=False, heartbeat_timeout_ms=30_000))
    await rooms.pause(organizer(stores), before.id)
    after = await stores.concerts.get(before.id)
    assert after is not None
    assert (after.room.queue_all, after.room.heartbeat_timeout_ms) == (True, 30_000)


def test_description_of_the_timeout_warns_about_hidden_tabs() -> None:
    types: Any = build_schema(sdl()).type_map
    for name in ("WaitingRoomInput", "WaitingRoom"):
        assert "below 70," in types[name].fields["heartbeatTimeoutSeconds"].description.lower()
