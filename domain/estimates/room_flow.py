"""What went through a room: totals of this round, and how many in each ten seconds of the last five minutes."""

from dataclasses import dataclass

SLICE_S = 10
SLICES = 31
"""Thirty whole ones, and the one that runs."""


@dataclass(frozen=True, slots=True)
class RoomFlow:
    """As the store counted it, at its own time. Slices are oldest first; the last one has begun at `slice_began_s`."""

    now_s: float
    """Unix seconds, of the store."""
    opened_s: float | None = None
    """When the line opened, or None."""
    joined: int = 0
    called: int = 0
    claimed: int = 0
    completed: int = 0
    """Passes spent on orders."""
    tickets: int = 0
    """In those orders."""
    left: int = 0
    absent: int = 0
    """Who waited, and for whom nobody spoke any more."""
    not_claimed: int = 0
    """Who was called, and did not come."""
    session_over: int = 0
    """Whose pass ran out."""
    joined_lately: tuple[int, ...] = (0,) * SLICES
    called_lately: tuple[int, ...] = (0,) * SLICES
    gone_lately: tuple[int, ...] = (0,) * SLICES
    """Who left the line without being called."""

    @property
    def no_shows(self) -> int:
        return self.absent + self.not_claimed

    @property
    def inflow(self) -> int:
        """Who joined in the last minute."""
        return sum(self.joined_lately[-7:])

    @property
    def outflow(self) -> int:
        """Who was called in the last minute."""
        return sum(self.called_lately[-7:])
