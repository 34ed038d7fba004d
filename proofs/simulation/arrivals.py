"""The people who arrive at a simulated sale.

The same seed produces the same people, arriving at the same times.
"""

import random
from dataclasses import dataclass

MAX_WISH = 4
MAX_STAYS = 2


@dataclass(frozen=True, slots=True)
class ArrivalPattern:
    """How people arrive and behave, as shares from 0 to 1 and mean times in seconds."""

    early: float = 0.3
    """Share of people who arrive before the opening."""
    early_s: float = 300.0
    opening_share: float = 0.4
    """Share of people who arrive within `opening_s` after the opening.

    The arrivals of the rest are distributed evenly from the opening to `last_arrival_s`.
    """
    opening_s: float = 60.0
    last_arrival_s: float = 900.0
    gives_up: float = 0.15
    patience_s: float = 500.0
    disappears: float = 0.6
    """Of those who give up, the share who disconnect instead of leaving the queue."""
    no_show: float = 0.06
    """Share of people who do not claim a pass after being called."""
    buys: float = 0.6
    lingers: float = 0.05
    """Share of people who claim a pass and let it expire."""
    visit_s: float = 110.0
    slower_after_s: float = 1e9
    """The visits of people who arrive after this time take twice as long."""
    returns: float = 0.3
    """Of those who gave up or did not claim a pass, the share who later join again."""


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    arrives_s: float
    """Seconds after the opening; negative if the person arrives before it."""
    gives_up_after_s: float | None
    disappears: bool
    claims: bool
    claims_after_s: float
    chooses_s: float
    """The time from the claim to the hold."""
    pays_s: float
    """The time from the hold until the person buys the tickets or leaves."""
    buys: bool
    lingers: bool
    wish: int
    returns_after_s: float | None


def make_arrivals(size: int, pattern: ArrivalPattern, *, seed: int) -> tuple[Person, ...]:
    rng = random.Random(seed)
    return tuple(_person(f"person{number}", pattern, rng) for number in range(1, size + 1))


def _person(name: str, pattern: ArrivalPattern, rng: random.Random) -> Person:
    arrives_s = _arrival(pattern, rng)
    # With a lognormal distribution, most visits are short and a few are very long.
    visit_s = pattern.visit_s * rng.lognormvariate(-0.25, 0.7) * (2 if arrives_s > pattern.slower_after_s else 1)
    choosing = rng.uniform(0.1, 0.6)
    return Person(
        name=name,
        arrives_s=arrives_s,
        gives_up_after_s=rng.expovariate(1 / pattern.patience_s) if rng.random() < pattern.gives_up else None,
        disappears=rng.random() < pattern.disappears,
        claims=rng.random() >= pattern.no_show,
        claims_after_s=min(50.0, rng.expovariate(1 / 6)),
        chooses_s=visit_s * choosing,
        pays_s=visit_s * (1 - choosing),
        buys=rng.random() < pattern.buys,
        lingers=rng.random() < pattern.lingers,
        wish=rng.randint(1, MAX_WISH),
        returns_after_s=rng.uniform(5, 60) if rng.random() < pattern.returns else None,
    )


def _arrival(pattern: ArrivalPattern, rng: random.Random) -> float:
    kind = rng.random()
    if kind < pattern.early:
        return -rng.uniform(0, pattern.early_s)
    if kind < pattern.early + pattern.opening_share:
        return rng.triangular(0, pattern.opening_s, 0)
    return rng.uniform(0, pattern.last_arrival_s)
