"""An event that cannot be applied yet is tried again, ever more slowly, and reported after 72 h."""

from datetime import timedelta

import pytest

from domain.payments.inbox import PARKED_FOR, InboxState
from tests.support.payment_events import NOW, inbox_event


@pytest.mark.parametrize(
    ("age_s", "pause_s"), [(0, 1), (0.2, 1), (1, 1), (2, 2), (64, 64), (600, 600), (3_600, 600), (259_199, 600)]
)
def test_pause_of_a_parked_event_grows_with_its_age(age_s: float, pause_s: float) -> None:
    now = NOW + timedelta(seconds=age_s)
    parked = inbox_event().parked("the order is unknown", now=now)
    assert (parked.state, parked.due_at) == (InboxState.PARKED, now + timedelta(seconds=pause_s))
    assert parked.problem == "the order is unknown"


def test_event_is_reported_after_72_hours() -> None:
    assert timedelta(hours=72) == PARKED_FOR
    reported = inbox_event(state=InboxState.PARKED).parked("the order is unknown", now=NOW + PARKED_FOR)
    assert (reported.state, reported.due_at) == (InboxState.REPORTED, None)
    assert reported.problem == "the order is unknown"


@pytest.mark.parametrize("state", [InboxState.NEW, InboxState.PARKED])
@pytest.mark.parametrize(("age_s", "pause_s"), [(0, 1), (5, 5), (60, 10), (864_000, 10)])
def test_outage_never_ends_the_wait(state: InboxState, age_s: int, pause_s: int) -> None:
    now = NOW + timedelta(seconds=age_s)
    postponed = inbox_event(state=state).postponed(now=now)
    assert (postponed.state, postponed.due_at) == (state, now + timedelta(seconds=pause_s))
