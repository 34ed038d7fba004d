"""What a simulated sale is held in: a room with a line and stock. One is made of the real scripts, one is rehearsed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.estimates.room_flow import RoomFlow
from domain.queues import RoomSettings
from domain.stock import Stock


@dataclass(frozen=True, slots=True)
class RoomObservation:
    """The line at one moment."""

    flow: RoomFlow
    settings: RoomSettings
    slots_taken: int
    waiting_count: int
    positions: Mapping[str, int]
    """Of everybody who waits."""
    stock: Stock


@dataclass(frozen=True, slots=True)
class TurnResult:
    """Who was called, and whose place ended, since the last turn."""

    called: Sequence[str]
    ended: Sequence[str]


class Room(Protocol):
    async def move_clock(self, at_s: float) -> None:
        """Seconds from the opening. Only ever forward, and by at most two seconds a turn."""

    async def join(self, people: Sequence[str]) -> None: ...

    async def leave(self, people: Sequence[str]) -> None: ...

    async def walk_off(self, people: Sequence[str]) -> None:
        """Their sockets go."""

    async def claim(self, people: Sequence[str]) -> Sequence[str]:
        """Those who got their pass."""

    async def hold(self, person: str, wish: int) -> bool:
        """As many as are left. Whether any were."""

    async def buy(self, people: Sequence[str]) -> None:
        """What they hold."""

    async def configure(self, changes: Mapping[str, int]) -> None: ...

    async def turn(self) -> TurnResult: ...

    async def look(self) -> RoomObservation: ...
