"""The people in a sale.

The same seed produces the same people, so a failed sale can be repeated.
"""

import random
from dataclasses import dataclass
from enum import StrEnum


class BuyerBehavior(StrEnum):
    BUYS = "holds, thinks, then buys"
    BUYS_AT_ONCE = "buys without holding first"
    WAVERS = "releases a hold, then holds again and buys"
    GIVES_UP = "holds, then releases the hold"
    VANISHES = "holds, then sends no more requests"
    ASKS_FOR_TOO_MUCH = "exceeds the limit per order, then the limit per person"
    REPEATS = "sends every request twice at the same time"
    IS_DECLINED = "pays with a card that is declined, then with another one"
    NEVER_PAYS = "buys, and never pays"
    REUSES_KEY = "sends an idempotency key again with different input"
    HAS_NO_TOKEN = "tries to hold without a token"
    FORGES_TOKEN = "tries to hold with another person's name in the token"


SHARES = {
    BuyerBehavior.BUYS: 45,
    BuyerBehavior.BUYS_AT_ONCE: 8,
    BuyerBehavior.WAVERS: 6,
    BuyerBehavior.GIVES_UP: 6,
    BuyerBehavior.VANISHES: 8,
    BuyerBehavior.ASKS_FOR_TOO_MUCH: 4,
    BuyerBehavior.REPEATS: 6,
    BuyerBehavior.IS_DECLINED: 7,
    BuyerBehavior.NEVER_PAYS: 3,
    BuyerBehavior.REUSES_KEY: 3,
    BuyerBehavior.HAS_NO_TOKEN: 2,
    BuyerBehavior.FORGES_TOKEN: 2,
}
"""The percentage of people with each behavior."""


class QueueBehavior(StrEnum):
    """The behavior of a person in the queue."""

    SUBSCRIBES = "follows the position on a socket"
    RECONNECTS = "drops the socket on purpose and reconnects"
    TWO_DEVICES = "joins, subscribes and claims on two devices"
    POLLS = "polls the position and sends heartbeats"
    CHEATS = "tries to hold without a pass, with a stolen one and with a forged one"
    CLAIMS_LATE = "lets the call expire and joins again"
    NEVER_CLAIMS = "lets the call expire"
    LEAVES = "leaves the queue"
    DISAPPEARS = "disconnects and sends no more requests"


QUEUE_BEHAVIOR_SHARES = {
    QueueBehavior.SUBSCRIBES: 34,
    QueueBehavior.RECONNECTS: 16,
    QueueBehavior.TWO_DEVICES: 8,
    QueueBehavior.POLLS: 20,
    QueueBehavior.CHEATS: 6,
    QueueBehavior.CLAIMS_LATE: 5,
    QueueBehavior.NEVER_CLAIMS: 4,
    QueueBehavior.LEAVES: 4,
    QueueBehavior.DISAPPEARS: 3,
}
"""The percentage of people with each behavior."""

NEVER_ADMITTED = frozenset({QueueBehavior.NEVER_CLAIMS, QueueBehavior.LEAVES, QueueBehavior.DISAPPEARS})

BUYS_NOTHING = frozenset(
    {
        BuyerBehavior.GIVES_UP,
        BuyerBehavior.VANISHES,
        BuyerBehavior.NEVER_PAYS,
        BuyerBehavior.HAS_NO_TOKEN,
        BuyerBehavior.FORGES_TOKEN,
    }
)

TIERS = 3
MAX_WISH = 4


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    """The user name, which is also the password at the development issuer."""
    buyer_behavior: BuyerBehavior
    wish: int
    """The number of tickets wanted; the person takes fewer if fewer are left."""
    favorite: int
    """The index of the preferred tier, from 0 to TIERS - 1."""
    takes_two_tiers: bool
    arrives_after_s: float
    thinks_s: float
    """Seconds between a hold and the next action."""
    queue_behavior: QueueBehavior = QueueBehavior.SUBSCRIBES
    patience_s: float = 1.0
    """Seconds until the person drops a socket or leaves the queue, depending on the behavior."""


def make_people(size: int, *, seed: int, within_s: float) -> tuple[Person, ...]:
    """Return people who arrive within `within_s`, initially at twice the average rate."""
    rng = random.Random(seed)
    buyer_behaviors = rng.choices(list(SHARES), weights=list(SHARES.values()), k=size)
    queue_behaviors = rng.choices(list(QUEUE_BEHAVIOR_SHARES), weights=list(QUEUE_BEHAVIOR_SHARES.values()), k=size)
    return tuple(
        Person(
            name=f"buyer{number}",
            buyer_behavior=buyer_behavior,
            wish=rng.randint(1, MAX_WISH),
            favorite=rng.randrange(TIERS),
            takes_two_tiers=rng.random() < 0.2,
            arrives_after_s=rng.triangular(0.0, within_s, 0.0),
            thinks_s=rng.uniform(0.1, 1.5),
            queue_behavior=queue_behavior,
            patience_s=rng.uniform(0.5, 6.0),
        )
        for number, (buyer_behavior, queue_behavior) in enumerate(
            zip(buyer_behaviors, queue_behaviors, strict=True), start=1
        )
    )


def wanted(people: tuple[Person, ...]) -> int:
    """Return how many tickets these people will buy if enough are on sale."""
    buying = [person for person in people if person.queue_behavior not in NEVER_ADMITTED]
    return sum(person.wish for person in buying if person.buyer_behavior not in BUYS_NOTHING)
