"""The interface of a simulated room: a queue and stock, on the real scripts or in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.estimates.room_flow import RoomFlow
from domain.queues import RoomSettings
from domain.stock import Stock


@dataclass(frozen=True, slots=True)
class RoomObservation:
    """The queue at one moment."""

    flow: RoomFlow
    settings: RoomSettings
    slots_taken: int
    waiting_count: int
    positions: Mapping[str, int]
    """The position of each waiting person."""
    stock: Stock


@dataclass(frozen=True, slots=True)
class Transitions:
    """People called, and people whose entry ended, since the last step."""

    called: Sequence[str]
    ended: Sequence[str]


class Room(Protocol):
    async def move_clock(self, at_s: float) -> None:
        """Advance the clock to `at_s` seconds after the opening, at most two seconds per call."""

    async def join(self, people: Sequence[str]) -> None: ...

    async def leave(self, people: Sequence[str]) -> None: ...

    async def disconnect(self, people: Sequence[str]) -> None:
        """Close the sockets of these people."""

    async def claim(self, people: Sequence[str]) -> Sequence[str]:
        """Claim passes; return the people who got one."""

    async def hold(self, person: str, wish: int) -> bool:
        """Hold `wish` tickets, or all that are left if fewer; return whether any were left."""

    async def buy(self, people: Sequence[str]) -> None:
        """Buy the holds of these people."""

    async def configure(self, changes: Mapping[str, int]) -> None: ...

    async def advance(self) -> Transitions:
        """Call the next people, and end everything that has expired."""

    async def observe(self) -> RoomObservation: ...
