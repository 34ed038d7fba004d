"""The predictions for people in a simulated queue, and the outcomes."""

from collections import Counter
from dataclasses import dataclass, field

from domain.stock import StockAhead
from proofs.simulation.arrivals import Person


@dataclass(slots=True)
class Stay:
    """One stay of one person in the queue, and its outcome."""

    person: Person
    nth: int
    joined_s: float
    called_s: float | None = None
    found_tickets: bool | None = None
    """None if the person never tried to hold tickets."""
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction for one person at one moment. p50 and p90 are None without an estimate."""

    at_s: float
    stay: Stay
    position: int
    p50_s: int | None
    p90_s: int | None
    stock_ahead: StockAhead
    free: int = 0
    """Tickets available at that moment."""


@dataclass(slots=True)
class Outcome:
    """The predictions of a sale, its calls, and the checks of its observations."""

    predictions: list[Prediction] = field(default_factory=list)
    called: Counter[int] = field(default_factory=Counter)
    """Calls by second."""
    most_slots: int = 0
    miscounted: int = 0
    """How many observations had a wrong count of waiting people.

    Both the waiting count and its value from the flow are compared with the number of people who
    are waiting.
    """
