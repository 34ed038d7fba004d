"""The predictions that people in a simulated queue received, and the outcomes."""

from collections import Counter
from dataclasses import dataclass, field

from bench.simulation.arrivals import Person
from domain.stock import StockAhead


@dataclass(slots=True)
class QueuedPerson:
    """One stay of one person in the queue, and its outcome."""

    person: Person
    nth: int
    joined_s: float
    called_s: float | None = None
    found_tickets: bool | None = None
    """None if the person never looked for tickets."""
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction for one person at one moment. p50 and p90 are None without an estimate."""

    at_s: float
    place: QueuedPerson
    position: int
    p50_s: int | None
    p90_s: int | None
    stock_ahead: StockAhead
    free: int = 0
    """Tickets free to hold at that moment."""


@dataclass(slots=True)
class Outcome:
    """The events and the totals of a sale."""

    told: list[Prediction] = field(default_factory=list)
    called: Counter[int] = field(default_factory=Counter)
    """Calls by second."""
    most_slots: int = 0
    miscounted: int = 0
    """Observations whose waiting count, or its value from the flow,
    differed from the number of waiting people.
    """
