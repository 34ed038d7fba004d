"""The crowd is the same for the same seed, comes in a rush, and behaves in the shares that are written down."""

from collections import Counter

import pytest

from bench.sale.buyer import choose
from bench.sale.catalog import LIMIT_PER_ORDER, LIMIT_PER_PERSON
from bench.sale.ledger import TicketLine
from bench.sale.people import (
    LEAVES_EMPTY_HANDED,
    MOST_WISHED,
    QUEUE_BEHAVIOR_SHARES,
    SHARES,
    STAYS_OUTSIDE,
    BuyerBehavior,
    Person,
    QueueBehavior,
    make_people,
    wanted,
)
from bench.sale.shop import TierView


def person(*, wish: int, favourite: int = 0, takes_two_tiers: bool = False) -> Person:
    return Person("buyer1", BuyerBehavior.BUYS, wish, favourite, takes_two_tiers, arrives_after_s=0.0, thinks_s=0.0)


def seen(*available: int) -> list[TierView]:
    return [TierView(f"tier-{index}", 100, left, 0, 100 - left) for index, left in enumerate(available)]


def test_the_same_seed_brings_the_same_crowd() -> None:
    assert make_people(500, seed=7, rush_s=5.0) == make_people(500, seed=7, rush_s=5.0)


def test_another_seed_brings_another_crowd() -> None:
    assert make_people(500, seed=7, rush_s=5.0) != make_people(500, seed=8, rush_s=5.0)


def test_everybody_has_a_name_of_their_own() -> None:
    people = make_people(500, seed=1, rush_s=5.0)
    assert [someone.name for someone in people] == [f"buyer{number}" for number in range(1, 501)]


def test_habits_come_in_their_shares() -> None:
    assert sum(SHARES.values()) == 100
    assert SHARES.keys() == set(BuyerBehavior)
    counts = Counter(someone.buyer_behavior for someone in make_people(20_000, seed=1, rush_s=5.0))
    for buyer_behavior, share in SHARES.items():
        assert counts[buyer_behavior] / 200 == pytest.approx(share, abs=1.0)


def test_manners_come_in_their_shares() -> None:
    assert sum(QUEUE_BEHAVIOR_SHARES.values()) == 100
    assert QUEUE_BEHAVIOR_SHARES.keys() == set(QueueBehavior)
    counts = Counter(someone.queue_behavior for someone in make_people(20_000, seed=1, rush_s=5.0))
    for queue_behavior, share in QUEUE_BEHAVIOR_SHARES.items():
        assert counts[queue_behavior] / 200 == pytest.approx(share, abs=1.0)


def test_a_rush_begins_twice_as_dense_as_it_is_on_average() -> None:
    people = make_people(20_000, seed=1, rush_s=10.0)
    assert sum(someone.arrives_after_s < 1.0 for someone in people) == pytest.approx(3_800, rel=0.05)
    assert all(0.0 <= someone.arrives_after_s <= 10.0 for someone in people)


def test_no_wish_is_beyond_a_limit() -> None:
    assert MOST_WISHED <= LIMIT_PER_ORDER <= LIMIT_PER_PERSON
    assert {someone.wish for someone in make_people(500, seed=1, rush_s=5.0)} == set(range(1, MOST_WISHED + 1))


def test_what_a_crowd_wants_is_what_those_wish_who_buy() -> None:
    people = make_people(500, seed=1, rush_s=5.0)
    coming_in = [someone for someone in people if someone.queue_behavior not in STAYS_OUTSIDE]
    buying = [someone for someone in coming_in if someone.buyer_behavior not in LEAVES_EMPTY_HANDED]
    assert wanted(people) == sum(someone.wish for someone in buying)
    assert len(buying) < len(coming_in) < len(people)


def test_the_favourite_tier_is_chosen_first() -> None:
    assert choose(person(wish=2, favourite=1), seen(9, 9, 9)) == [TicketLine("tier-1", 2)]


def test_what_is_left_of_the_next_tier_is_chosen_when_the_favourite_is_gone() -> None:
    assert choose(person(wish=4, favourite=1), seen(9, 0, 3)) == [TicketLine("tier-2", 3)]


def test_two_tiers_share_a_wish_and_never_exceed_it() -> None:
    assert choose(person(wish=4, takes_two_tiers=True), seen(5, 0, 2)) == [
        TicketLine("tier-0", 1),
        TicketLine("tier-2", 2),
    ]
    assert choose(person(wish=1, takes_two_tiers=True), seen(5, 5, 5)) == [TicketLine("tier-0", 1)]


def test_nothing_is_chosen_when_nothing_is_left() -> None:
    assert choose(person(wish=4), seen(0, 0, 0)) == []
