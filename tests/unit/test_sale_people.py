"""The people in a sale show every behavior, depend only on the seed, and respect the limits."""

from bench.clients.catalog import LIMIT_PER_PERSON
from proofs.sale.buyers.people import (
    QUEUE_BEHAVIOR_SHARES,
    SHARES,
    BuyerBehavior,
    Person,
    QueueBehavior,
    make_people,
    wanted,
)


def people(seed: int) -> tuple[Person, ...]:
    return make_people(2_000, seed=seed, within_s=10.0)


def test_every_behavior_occurs_among_the_people() -> None:
    assert (sum(SHARES.values()), sum(QUEUE_BEHAVIOR_SHARES.values())) == (100, 100)
    assert {person.buyer_behavior for person in people(1)} == set(BuyerBehavior)
    assert {person.queue_behavior for person in people(1)} == set(QueueBehavior)


def test_same_seed_gives_the_same_people() -> None:
    assert people(7) == people(7)
    assert people(7) != people(8)
    assert len({person.name for person in people(7)}) == 2_000


def test_no_person_wants_more_than_the_limit_per_person() -> None:
    assert all(1 <= person.wish <= LIMIT_PER_PERSON for person in people(1))


def test_only_people_who_buy_count_toward_the_wanted_tickets() -> None:
    buys, gives_up = (BuyerBehavior.BUYS, BuyerBehavior.GIVES_UP)
    three = [
        Person("ann", buys, 2, 0, False, 0.0, 0.0),
        Person("ben", gives_up, 3, 0, False, 0.0, 0.0),
        Person("cat", buys, 4, 0, False, 0.0, 0.0, QueueBehavior.LEAVES),
    ]
    assert wanted(tuple(three)) == 2
