"""The simulated sales. Each tests a condition that may make estimates less accurate."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from proofs.simulation.arrivals import ArrivalPattern

USUAL = ArrivalPattern()


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    about: str
    people: int
    total_active_users: int
    new_users_per_minute: int
    stock: int = 100_000
    pattern: ArrivalPattern = USUAL
    changes: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    """The room settings to change, by the number of seconds after the opening."""
    lasts_s: int = 1_500
    prequeue_s: int = 0
    """How long before the opening people may join; if 0, everyone arrives after the opening."""


SCENARIOS = (
    Scenario(
        "minute cap",
        "120 calls per minute and enough slots: people are called in bursts, a minute apart",
        people=2_500,
        total_active_users=1_500,
        new_users_per_minute=120,
    ),
    Scenario(
        "slot cap",
        "150 slots: people are called only when visits end",
        people=1_800,
        total_active_users=150,
        new_users_per_minute=3_000,
    ),
    Scenario(
        "abandonment",
        "half of the queue gives up, and a fifth of the called people do not claim",
        people=3_000,
        total_active_users=200,
        new_users_per_minute=120,
        pattern=ArrivalPattern(gives_up=0.5, patience_s=420, no_show=0.2, returns=0.4),
    ),
    Scenario(
        "pre-queue",
        "150 slots, and most people join before the opening",
        people=2_000,
        total_active_users=150,
        new_users_per_minute=300,
        pattern=ArrivalPattern(early=0.8),
        prequeue_s=300,
    ),
    Scenario(
        "rate changed",
        "120 calls per minute, then 300, then 60, while visits become longer",
        people=2_500,
        total_active_users=400,
        new_users_per_minute=120,
        pattern=ArrivalPattern(slower_after_s=400),
        changes={400: {"new_users_per_minute": 300}, 800: {"new_users_per_minute": 60}},
    ),
    Scenario(
        "stock runs out",
        "900 tickets for 2,000 people",
        people=2_000,
        total_active_users=150,
        new_users_per_minute=240,
        stock=900,
    ),
)
