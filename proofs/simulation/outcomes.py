"""The predictions for people in a simulated queue, and what actually happened."""

from collections import Counter
from dataclasses import dataclass, field

from domain.stock import StockAhead
from proofs.simulation.arrivals import Person


@dataclass(slots=True)
class Stay:
    """One person's stay in the queue, and its outcome."""

    person: Person
    nth: int
    joined_s: float
    called_s: float | None = None
    found_tickets: bool | None = None
    """None if the person never tried to hold tickets."""
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction for one person at one moment; p50 and p90 are None if there is no estimate."""

    at_s: float
    stay: Stay
    position: int
    p50_s: int | None
    p90_s: int | None
    stock_ahead: StockAhead
    free: int = 0
    """The number of tickets available at that moment."""


@dataclass(slots=True)
class Outcome:
    """The predictions and calls of one sale, and the results of the checks made during it."""

    predictions: list[Prediction] = field(default_factory=list)
    called: Counter[int] = field(default_factory=Counter)
    """The number of calls in each second."""
    most_slots: int = 0
    miscounted: int = 0
    """The number of observations in which a count of waiting people was wrong.

    Both the reported count and the count derived from the flow are checked.
    """
