"""Who comes to the sale: a crowd that is the same for the same seed, so a sale that failed can be held again."""

import random
from dataclasses import dataclass
from enum import StrEnum


class Habit(StrEnum):
    BUYS = "holds, thinks, buys"
    BUYS_AT_ONCE = "buys without holding first"
    WAVERS = "gives a hold back, then holds and buys after all"
    GIVES_UP = "holds and gives it back"
    VANISHES = "holds and is never seen again"
    ASKS_TOO_MUCH = "asks for more than one order, then more than one person, may have"
    REPEATS = "sends every request twice at the same time"
    REUSES_KEY = "sends a used idempotency key with other contents"
    HAS_NO_TOKEN = "tries without a token"
    FORGES_TOKEN = "tries with somebody else's name in its own token"


SHARES = {
    Habit.BUYS: 55,
    Habit.BUYS_AT_ONCE: 8,
    Habit.WAVERS: 6,
    Habit.GIVES_UP: 6,
    Habit.VANISHES: 8,
    Habit.ASKS_TOO_MUCH: 4,
    Habit.REPEATS: 6,
    Habit.REUSES_KEY: 3,
    Habit.HAS_NO_TOKEN: 2,
    Habit.FORGES_TOKEN: 2,
}
"""Percent of the crowd."""

LEAVES_EMPTY_HANDED = frozenset({Habit.GIVES_UP, Habit.VANISHES, Habit.HAS_NO_TOKEN, Habit.FORGES_TOKEN})

TIERS = 3
MOST_WISHED = 4


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    """Also the password at the development issuer."""
    habit: Habit
    wish: int
    """How many tickets; fewer are taken when fewer are left."""
    favourite: int
    """Which tier is asked for first, 0 to TIERS - 1."""
    takes_two_tiers: bool
    arrives_after_s: float
    thinks_s: float
    """Between a hold and what is done with it."""


def crowd(size: int, *, seed: int, rush_s: float) -> tuple[Person, ...]:
    """Twice as many arrive in the first moment of the rush as on average, and nobody after its end."""
    dice = random.Random(seed)
    habits = dice.choices(list(SHARES), weights=list(SHARES.values()), k=size)
    return tuple(
        Person(
            name=f"buyer{number}",
            habit=habit,
            wish=dice.randint(1, MOST_WISHED),
            favourite=dice.randrange(TIERS),
            takes_two_tiers=dice.random() < 0.2,
            arrives_after_s=dice.triangular(0.0, rush_s, 0.0),
            thinks_s=dice.uniform(0.1, 1.5),
        )
        for number, habit in enumerate(habits, start=1)
    )


def wanted(people: tuple[Person, ...]) -> int:
    """How many tickets this crowd buys if there are enough."""
    return sum(person.wish for person in people if person.habit not in LEAVES_EMPTY_HANDED)
