"""The simulation respects the room's caps and compares predictions with outcomes."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from domain.queues import RoomSettings
from domain.stock import StockAhead
from proofs.simulation.arrivals import Person
from proofs.simulation.concert import settings_of
from proofs.simulation.memory_room import MemoryRoom
from proofs.simulation.outcomes import Outcome, Prediction, Stay
from proofs.simulation.sale import Sale
from proofs.simulation.scenarios import Scenario
from proofs.simulation.scoring import Point, curve, score_predictions

ROOM = Scenario(
    "test", "two calls per minute, two slots", people=0, total_active_users=2, new_users_per_minute=2, lasts_s=300
)
PERSON = Person(
    name="ann",
    arrives_s=1.0,
    gives_up_after_s=None,
    disappears=False,
    claims=True,
    claims_after_s=2.0,
    chooses_s=3.0,
    pays_s=5.0,
    buys=True,
    lingers=False,
    wish=2,
    returns_after_s=None,
)


def people(*changes: Mapping[str, object]) -> tuple[Person, ...]:
    """Return one person with a unique name for each of `changes`."""
    return tuple(
        replace(PERSON, **{"name": f"person{number}", **change})  # type: ignore[arg-type]
        for number, change in enumerate(changes, start=1)
    )


def run_sale(scenario: Scenario, people: tuple[Person, ...]) -> Outcome:
    return asyncio.run(Sale(MemoryRoom(settings_of(scenario), scenario.stock), scenario, people, seed=1).run())


def predict(
    waited_s: float | None,
    p50_s: int | None,
    p90_s: int | None,
    *,
    at_s: float = 0.0,
    position: int = 1,
    ahead: StockAhead = StockAhead.AVAILABLE,
    found: bool | None = True,
    free: int = 0,
) -> Prediction:
    called_s = None if waited_s is None else at_s + waited_s
    stay = Stay(PERSON, 1, 0.0, called_s=called_s, found_tickets=found)
    return Prediction(at_s, stay, position, p50_s, p90_s, ahead, free)


def test_caps_delay_calls() -> None:
    """Two people are called at second 1, two more 61 s later, and the fifth another 61 s later."""
    outcome = run_sale(ROOM, people({}, {}, {}, {}, {}))
    assert outcome.called == {1: 2, 62: 2, 123: 1}
    assert outcome.most_slots == 2
    slow = run_sale(replace(ROOM, new_users_per_minute=60), people(*[{"chooses_s": 30.0}] * 4))
    assert slow.called == {1: 2, 38: 2}


def test_changed_settings_apply_from_the_given_second() -> None:
    changes = {10: {"new_users_per_minute": 3, "total_active_users": 3}, 12: {"new_users_per_minute": 60}}
    assert run_sale(replace(ROOM, changes=changes), people({}, {}, {}, {}, {})).called == {1: 2, 10: 1, 12: 2}


def test_no_show_frees_the_slot_when_the_call_expires() -> None:
    """Two people do not claim their passes; one of them rejoins behind the third person."""
    timeout_s = RoomSettings().pass_claim_timeout_ms // 1000
    scenario = replace(ROOM, new_users_per_minute=60, lasts_s=3 * timeout_s)
    no_shows = ({"claims": False}, {"claims": False, "returns_after_s": 1.0})
    assert run_sale(scenario, people(*no_shows, {})).called == {1: 2, 1 + timeout_s: 1, 2 + timeout_s: 1}


def test_prediction_records_the_actual_call() -> None:
    """Three people wait at second 5; the cap per minute allows two calls at second 62."""
    outcome = run_sale(ROOM, people({}, {}, {}, {}, {}))
    first = [prediction for prediction in outcome.predictions if prediction.at_s == 5]
    assert sorted((prediction.position, prediction.stay.called_s) for prediction in first) == [
        (1, 62),
        (2, 62),
        (3, 123),
    ]
    assert outcome.miscounted == 0


def test_score_compares_predictions_with_outcomes() -> None:
    sold_out = StockAhead.SOLD_OUT
    predictions = [
        predict(100, 100, 150),
        predict(120, 100, 150, ahead=sold_out, found=False, free=3),
        predict(200, 100, 150, ahead=sold_out, found=True),
        predict(50, 100, 150, found=False),
        predict(None, 100, 150, found=None),
        predict(80, None, None),
    ]
    found = score_predictions(predictions)
    assert (found.answers, found.never_called, found.without_band) == (6, 1, 1)
    assert found.mean_wait_s == 117.5
    assert found.mean_absolute_error_s == (0 + 20 + 100 + 50) / 4
    assert found.median_relative_error == pytest.approx((20 / 120 + 100 / 200) / 2)
    assert (found.within_p50, found.within_p90) == (0.5, 0.75)
    assert found.mean_band_s == 50
    assert (found.sold_out_said, found.sold_out_wrong) == (2, 1)
    assert (found.foreseen_said, found.foreseen_wrong) == (1, 0)
    assert (found.available_said, found.available_wrong) == (3, 1)


def test_curve_shows_one_person_at_each_moment() -> None:
    predictions = [predict(10, 9, 12, at_s=20, position=position) for position in (4, 1, 3, 2)]
    predictions.append(predict(7, 8, 9, at_s=5, position=6))
    assert curve(predictions) == [Point(5, 6, 8, 9, 7), Point(20, 4, 9, 12, 10)]
