"""A small simulated sale on the real scripts: it ends as its rehearsal in memory does, second by second."""

from collections import Counter
from dataclasses import asdict, replace

import pytest

from bench.simulation.arrivals import ArrivalPattern, make_arrivals
from bench.simulation.concert import settings_of
from bench.simulation.memory_room import MemoryRoom
from bench.simulation.outcomes import Outcome
from bench.simulation.redis_room import open_redis_room
from bench.simulation.sale import Sale
from bench.simulation.scenarios import Scenario
from bench.simulation.scoring import score_predictions
from domain.estimates.room_flow import RoomFlow
from storage.connect import Stores

SMALL = Scenario(
    "small",
    "everything that can happen to a place, in four minutes",
    people=300,
    total_active_users=40,
    new_users_per_minute=60,
    stock=120,
    pattern=ArrivalPattern(
        last_arrival_s=120, early_s=20, gives_up=0.3, patience_s=60, no_show=0.15, visit_s=40, lingers=0.05, returns=0.6
    ),
    changes={120: {"new_users_per_minute": 90}},
    lasts_s=240,
    prequeue_s=20,
)
MOST_A_MINUTE = 90


@pytest.mark.parametrize("scenario", [SMALL, replace(SMALL, stock=10_000, prequeue_s=0)], ids=["sold out", "plenty"])
async def test_the_scripts_and_the_rehearsal_agree(stores: Stores, scenario: Scenario) -> None:
    people = make_arrivals(scenario.people, scenario.pattern, seed=3)
    scripts, memory = (
        await open_redis_room(stores.script_client, scenario),
        MemoryRoom(settings_of(scenario), scenario.stock),
    )
    outcome = await Sale(scripts, scenario, people, seed=3).hold()
    expected = await Sale(memory, scenario, people, seed=3).hold()
    assert outcome.called == expected.called
    assert (outcome.most_slots, outcome.miscounted) == (expected.most_slots, 0)
    assert fates(outcome) == fates(expected)
    assert score_predictions(outcome.told).answers == score_predictions(expected.told).answers
    assert totals((await scripts.look()).flow) == totals((await memory.look()).flow)
    assert outcome.most_slots <= scenario.total_active_users
    for second in outcome.called:
        assert sum(outcome.called[second - back] for back in range(60)) <= MOST_A_MINUTE


def totals(flow: RoomFlow) -> dict[str, object]:
    return {name: value for name, value in asdict(flow).items() if not name.endswith(("_s", "_lately"))}


def fates(outcome: Outcome) -> Counter[tuple[str, int, float | None, bool | None]]:
    """What became of everybody who was asked: when they were called, and whether they found tickets."""
    return Counter(
        (answer.place.person.name, answer.place.nth, answer.place.called_s, answer.place.found_tickets)
        for answer in outcome.told
    )
