"""The books of the simulation: crowds repeat, a sale does what its people came for, and scores count right."""

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from bench.simulation.arrivals import ArrivalPattern, Person, make_arrivals
from bench.simulation.chart import draw
from bench.simulation.concert import settings_of
from bench.simulation.memory_room import MemoryRoom
from bench.simulation.outcomes import Outcome, Prediction, QueuedPerson
from bench.simulation.report import document, table
from bench.simulation.sale import Sale
from bench.simulation.scenarios import SCENARIOS, Scenario
from bench.simulation.scoring import Point, curve, score_predictions
from domain.stock import StockAhead

ROOM = Scenario(
    "test", "two a minute, one at a time", people=0, total_active_users=2, new_users_per_minute=2, lasts_s=300
)
PERSON = Person(
    name="ann",
    arrives_s=1.0,
    gives_up_after_s=None,
    walks_off=False,
    comes=True,
    claims_after_s=2.0,
    looks_s=3.0,
    pays_s=5.0,
    buys=True,
    lingers=False,
    wish=2,
    returns_after_s=None,
)


def people(*changes: Mapping[str, object]) -> tuple[Person, ...]:
    """Different names, unless told otherwise all alike."""
    return tuple(
        replace(PERSON, **{"name": f"person{number}", **change})  # type: ignore[arg-type]
        for number, change in enumerate(changes, start=1)
    )


class Watched(MemoryRoom):
    """Remembers which places a sale was told of."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(settings_of(scenario), scenario.stock)
        self.calls: list[str] = []

    async def buy(self, people: Sequence[str]) -> None:
        self.calls += [f"{name} buys at {self._now_s:g}" for name in people]
        await super().buy(people)

    async def join(self, people: Sequence[str]) -> None:
        self.calls += [f"{name} joins at {self._now_s:g}" for name in people]
        await super().join(people)


def held(scenario: Scenario, crowd_: tuple[Person, ...]) -> tuple[Outcome, list[str]]:
    room = Watched(scenario)
    return asyncio.run(Sale(room, scenario, crowd_, seed=1).hold()), room.calls


def told(
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
    place = QueuedPerson(PERSON, 1, 0.0, called_s=called_s, found_tickets=found)
    return Prediction(at_s, place, position, p50_s, p90_s, ahead, free)


def test_the_same_seed_is_the_same_crowd() -> None:
    assert make_arrivals(50, ArrivalPattern(), seed=7) == make_arrivals(50, ArrivalPattern(), seed=7)
    assert make_arrivals(50, ArrivalPattern(), seed=7) != make_arrivals(50, ArrivalPattern(), seed=8)


def test_a_person_is_called_claims_looks_and_buys() -> None:
    outcome, calls = held(ROOM, people({}))
    assert calls == ["person1 joins at 1", "person1 buys at 11"]
    assert outcome.called == {1: 1}


def test_the_window_and_the_slots_hold_people_back() -> None:
    """Two at second 1, two 61 s later; a third slot would not come free before: person 5 waits a minute more."""
    outcome, _ = held(ROOM, people({}, {}, {}, {}, {}))
    assert outcome.called == {1: 2, 62: 2, 123: 1}
    assert outcome.most_slots == 2
    slow, _ = held(replace(ROOM, new_users_per_minute=60), people(*[{"looks_s": 30.0}] * 4))
    assert slow.called == {1: 2, 38: 2}


def test_who_does_not_come_frees_the_slot_after_a_minute_and_may_return() -> None:
    away = {"comes": False, "returns_after_s": 10.0}
    outcome, calls = held(replace(ROOM, total_active_users=1), people(away))
    assert outcome.called == {1: 1, 71: 1}
    assert calls == ["person1 joins at 1", "person1 joins at 71"]


def test_who_walks_off_is_gone_when_the_grace_is_over() -> None:
    """The first takes the only slot till second 121; the second walks off at 11 and is not called, the third is."""
    crowd_ = people(
        {"looks_s": 100.0, "pays_s": 18.0}, {"gives_up_after_s": 10.0, "walks_off": True}, {"arrives_s": 2.0}
    )
    outcome, _ = held(replace(ROOM, total_active_users=1, new_users_per_minute=60), crowd_)
    assert outcome.called == {1: 1, 121: 1}


def test_settings_change_at_their_second() -> None:
    outcome, _ = held(replace(ROOM, changes={20: {"new_users_per_minute": 3}}), people({}, {}, {}, {}))
    assert outcome.called == {1: 2, 20: 1, 62: 1}


def test_people_find_no_tickets_when_there_are_none() -> None:
    crowd_ = people({"wish": 3}, {"arrives_s": 1.5, "wish": 3}, {"arrives_s": 1.7})
    outcome, calls = held(replace(ROOM, stock=4, total_active_users=3, new_users_per_minute=60), crowd_)
    assert [call for call in calls if "buys" in call] == ["person1 buys at 11", "person2 buys at 12"]
    assert sum(outcome.called.values()) == 3


def test_waiters_are_told_and_the_truth_is_kept() -> None:
    """At second 5 three wait, two of them for the window to let them in at 62."""
    outcome, _ = held(ROOM, people({}, {}, {}, {}, {}))
    first = [answer for answer in outcome.told if answer.at_s == 5]
    assert sorted((answer.position, answer.place.called_s) for answer in first) == [(1, 62), (2, 62), (3, 123)]
    assert outcome.miscounted == 0


def test_a_score_counts_what_was_said_against_what_happened() -> None:
    sold_out = StockAhead.SOLD_OUT
    answers = [
        told(100, 100, 150),
        told(120, 100, 150, ahead=sold_out, found=False, free=3),
        told(200, 100, 150, ahead=sold_out, found=True),
        told(50, 100, 150, found=False),
        told(None, 100, 150, found=None),
        told(80, None, None),
    ]
    found = score_predictions(answers)
    assert (found.answers, found.never_called, found.without_band) == (6, 1, 1)
    assert found.mean_wait_s == 117.5
    assert found.mean_absolute_error_s == (0 + 20 + 100 + 50) / 4
    assert found.median_relative_error == pytest.approx((20 / 120 + 100 / 200) / 2)
    assert (found.within_p50, found.within_p90) == (0.5, 0.75)
    assert found.mean_band_s == 50
    assert (found.sold_out_said, found.sold_out_wrong) == (2, 1)
    assert (found.foreseen_said, found.foreseen_wrong) == (1, 0)
    assert (found.available_said, found.available_wrong) == (3, 1)


def test_no_answers_make_an_empty_score() -> None:
    assert score_predictions([]).mean_wait_s == 0


def test_a_curve_takes_one_of_each_moment() -> None:
    answers = [told(10, 9, 12, at_s=20, position=place) for place in (4, 1, 3, 2)] + [told(7, 8, 9, at_s=5, position=6)]
    assert curve(answers) == [Point(5, 6, 8, 9, 7), Point(20, 4, 9, 12, 10)]


def test_the_report_and_the_chart_name_every_scenario() -> None:
    scores = {scenario.name: score_predictions([told(100, 90, 150), told(20, 10, 15)]) for scenario in SCENARIOS}
    curves = {name: curve([told(100, 90, 150, at_s=60)]) for name in scores}
    results = document(scores, curves, seeds=[5], lasted_s=1.23)
    assert results["lasted_s"] == 1.2
    assert results["scores"]["slot cap"]["within_p90"] == 0.5
    assert [line[:16].strip() for line in table(scores).splitlines()[1:]] == [scenario.name for scenario in SCENARIOS]
    drawn = ET.fromstring(draw(results))
    titles = [node.text for node in drawn.iter("{http://www.w3.org/2000/svg}text") if node.get("class") == "title"]
    assert titles == list(scores)
