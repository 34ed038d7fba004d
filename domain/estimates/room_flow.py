"""The flow of people through a waiting room: totals for the round, and a count for every ten
seconds of the last five minutes.
"""

from dataclasses import dataclass

SLICE_S = 10
SLICES = 31
"""Thirty full slices and the current one."""


@dataclass(frozen=True, slots=True)
class RoomFlow:
    """The store's counts. Slices are ordered oldest first; the last one is the current slice."""

    now_s: float
    """The store's time, in Unix seconds."""
    opened_s: float | None = None
    """When the queue opened, in Unix seconds; None if that is unknown."""
    joined: int = 0
    called: int = 0
    claimed: int = 0
    completed: int = 0
    """Passes spent on orders."""
    tickets: int = 0
    """Tickets in those orders."""
    left: int = 0
    absent: int = 0
    """People whose presence ended while they were waiting."""
    not_claimed: int = 0
    """People who were called but did not claim their pass in time."""
    session_over: int = 0
    """People whose pass expired."""
    joined_lately: tuple[int, ...] = (0,) * SLICES
    called_lately: tuple[int, ...] = (0,) * SLICES
    gone_lately: tuple[int, ...] = (0,) * SLICES
    """People who left the queue without being called."""

    @property
    def no_shows(self) -> int:
        return self.absent + self.not_claimed

    @property
    def inflow(self) -> int:
        """People who joined in the last minute."""
        return sum(self.joined_lately[-7:])

    @property
    def outflow(self) -> int:
        """People called in the last minute."""
        return sum(self.called_lately[-7:])
