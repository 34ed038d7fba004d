"""A simulated sale produces the same calls and outcomes in memory as with the real scripts."""

from collections import Counter
from dataclasses import asdict, replace

import pytest

from domain.estimates.room_flow import RoomFlow
from proofs.simulation.arrivals import ArrivalPattern, make_arrivals
from proofs.simulation.concert import settings_of
from proofs.simulation.memory_room import MemoryRoom
from proofs.simulation.outcomes import Outcome
from proofs.simulation.redis_room import open_redis_room
from proofs.simulation.sale import Sale
from proofs.simulation.scenarios import Scenario
from proofs.simulation.scoring import score_predictions
from storage.connect import Stores

SMALL = Scenario(
    "small",
    "every way in which an entry can end, in four minutes",
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
MAX_CALLS_PER_MINUTE = 90


@pytest.mark.parametrize("scenario", [SMALL, replace(SMALL, stock=10_000, prequeue_s=0)], ids=["sold out", "plenty"])
async def test_scripts_and_in_memory_room_agree(stores: Stores, scenario: Scenario) -> None:
    people = make_arrivals(scenario.people, scenario.pattern, seed=3)
    scripts, memory = (
        await open_redis_room(stores.script_client, scenario),
        MemoryRoom(settings_of(scenario), scenario.stock),
    )
    outcome = await Sale(scripts, scenario, people, seed=3).run()
    expected = await Sale(memory, scenario, people, seed=3).run()
    assert outcome.called == expected.called
    assert (outcome.most_slots, outcome.miscounted) == (expected.most_slots, 0)
    assert stays(outcome) == stays(expected)
    assert score_predictions(outcome.predictions).answers == score_predictions(expected.predictions).answers
    assert totals((await scripts.observe()).flow) == totals((await memory.observe()).flow)
    assert outcome.most_slots <= scenario.total_active_users
    for second in outcome.called:
        assert sum(outcome.called[second - back] for back in range(60)) <= MAX_CALLS_PER_MINUTE


def totals(flow: RoomFlow) -> dict[str, object]:
    return {name: value for name, value in asdict(flow).items() if not name.endswith(("_s", "_lately"))}


def stays(outcome: Outcome) -> Counter[tuple[str, int, float | None, bool | None]]:
    """Count the stays that have predictions, by person, call time and tickets."""
    return Counter(
        (stay.person.name, stay.nth, stay.called_s, stay.found_tickets)
        for stay in [prediction.stay for prediction in outcome.predictions]
    )
