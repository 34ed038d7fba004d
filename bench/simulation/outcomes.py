"""What people in a simulated line were told, and what became of them."""

from collections import Counter
from dataclasses import dataclass, field

from bench.simulation.arrivals import Person
from domain.stock import StockAhead


@dataclass(slots=True)
class QueuedPerson:
    """One stay of one person in the line, and what became of it."""

    person: Person
    nth: int
    joined_s: float
    called_s: float | None = None
    found_tickets: bool | None = None
    """None: did not get as far as looking."""
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Prediction:
    """What somebody was told at one moment. No band where nothing could be told."""

    at_s: float
    place: QueuedPerson
    position: int
    p50_s: int | None
    p90_s: int | None
    stock_ahead: StockAhead
    free: int = 0
    """Tickets that could be held at that moment."""


@dataclass(slots=True)
class Outcome:
    """What happened in a sale."""

    told: list[Prediction] = field(default_factory=list)
    called: Counter[int] = field(default_factory=Counter)
    """By second."""
    most_slots: int = 0
    miscounted: int = 0
    """Looks at which the waiting count, or what follows for it from the flow, was not the number of people who wait."""
