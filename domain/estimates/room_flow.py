"""The flow through a room: totals of this round, and counts for every ten seconds of the last five
minutes.
"""

from dataclasses import dataclass

SLICE_S = 10
SLICES = 31
"""Thirty full slices, and the current one."""


@dataclass(frozen=True, slots=True)
class RoomFlow:
    """The store's counts at the store's time.

    Slices are sorted oldest first; the last one is the current slice by the store's clock.
    """

    now_s: float
    """Unix seconds, by the clock of the store."""
    opened_s: float | None = None
    """The time when the queue opened, or None."""
    joined: int = 0
    called: int = 0
    claimed: int = 0
    completed: int = 0
    """Passes spent on orders."""
    tickets: int = 0
    """Tickets in those orders."""
    left: int = 0
    absent: int = 0
    """Waiting people whose presence ended."""
    not_claimed: int = 0
    """Called people who did not claim their pass in time."""
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
