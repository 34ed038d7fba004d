"""The people who arrive at a simulated sale.

The same seed gives the same times and behavior.
"""

import random
from dataclasses import dataclass

MAX_WISH = 4
MAX_STAYS = 2


@dataclass(frozen=True, slots=True)
class ArrivalPattern:
    """Shares of the people, and means in seconds."""

    early: float = 0.3
    """Share that arrives before the opening."""
    early_s: float = 300.0
    opening_share: float = 0.4
    """Share of the others that arrives within `opening_s` of the opening.

    The rest arrive evenly until the end.
    """
    opening_s: float = 60.0
    last_arrival_s: float = 900.0
    gives_up: float = 0.15
    patience_s: float = 500.0
    disappears: float = 0.6
    """Share, among people who give up, that disconnects without leaving the queue."""
    no_show: float = 0.06
    """Share that does not claim after the call."""
    buys: float = 0.6
    lingers: float = 0.05
    """Share that claims the pass and lets it expire."""
    visit_s: float = 110.0
    slower_after_s: float = 1e9
    """From this time on, visits of new arrivals take twice as long."""
    returns: float = 0.3
    """Share of the people who gave up or did not claim that joins again at the end of the queue."""


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    arrives_s: float
    """Seconds from the opening; negative before it."""
    gives_up_after_s: float | None
    disappears: bool
    claims: bool
    claims_after_s: float
    chooses_s: float
    """Time from the claim to the hold."""
    pays_s: float
    """Time from the hold to the order, or to the release of the hold."""
    buys: bool
    lingers: bool
    wish: int
    returns_after_s: float | None


def make_arrivals(size: int, pattern: ArrivalPattern, *, seed: int) -> tuple[Person, ...]:
    dice = random.Random(seed)
    return tuple(_person(f"person{number}", pattern, dice) for number in range(1, size + 1))


def _person(name: str, pattern: ArrivalPattern, dice: random.Random) -> Person:
    arrives_s = _arrival(pattern, dice)
    # Lognormal: most visits are short, and a few are very long.
    visit_s = pattern.visit_s * dice.lognormvariate(-0.25, 0.7) * (2 if arrives_s > pattern.slower_after_s else 1)
    choosing = dice.uniform(0.1, 0.6)
    return Person(
        name=name,
        arrives_s=arrives_s,
        gives_up_after_s=dice.expovariate(1 / pattern.patience_s) if dice.random() < pattern.gives_up else None,
        disappears=dice.random() < pattern.disappears,
        claims=dice.random() >= pattern.no_show,
        claims_after_s=min(50.0, dice.expovariate(1 / 6)),
        chooses_s=visit_s * choosing,
        pays_s=visit_s * (1 - choosing),
        buys=dice.random() < pattern.buys,
        lingers=dice.random() < pattern.lingers,
        wish=dice.randint(1, MAX_WISH),
        returns_after_s=dice.uniform(5, 60) if dice.random() < pattern.returns else None,
    )


def _arrival(pattern: ArrivalPattern, dice: random.Random) -> float:
    kind = dice.random()
    if kind < pattern.early:
        return -dice.uniform(0, pattern.early_s)
    if kind < pattern.early + pattern.opening_share:
        return dice.triangular(0, pattern.opening_s, 0)
    return dice.uniform(0, pattern.last_arrival_s)
