"""The interface of a simulated room, which has a queue and stock.

One implementation uses the real scripts; the other works in memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.estimates.room_flow import RoomFlow
from domain.queues import RoomSettings
from domain.stock import Stock


@dataclass(frozen=True, slots=True)
class RoomObservation:
    """The state of the room at one moment."""

    flow: RoomFlow
    settings: RoomSettings
    slots_taken: int
    waiting_count: int
    positions: Mapping[str, int]
    """The position of each waiting person, by name."""
    stock: Stock


@dataclass(frozen=True, slots=True)
class Transitions:
    """The people who were called, and those whose entries ended, since the last step."""

    called: Sequence[str]
    ended: Sequence[str]


class Room(Protocol):
    async def move_clock(self, at_s: float) -> None:
        """Advance the clock, by at most two seconds, to `at_s` seconds after the opening."""

    async def join(self, people: Sequence[str]) -> None: ...

    async def leave(self, people: Sequence[str]) -> None: ...

    async def disconnect(self, people: Sequence[str]) -> None:
        """Close the sockets of these people."""

    async def claim(self, people: Sequence[str]) -> Sequence[str]:
        """Claim passes, and return the people who got one."""

    async def hold(self, person: str, wish: int) -> bool:
        """Hold up to `wish` tickets, and return whether any were left."""

    async def buy(self, people: Sequence[str]) -> None:
        """Buy the tickets that these people hold."""

    async def configure(self, changes: Mapping[str, int]) -> None: ...

    async def advance(self) -> Transitions:
        """Call the next people, and end the entries and holds that have expired."""

    async def observe(self) -> RoomObservation: ...
