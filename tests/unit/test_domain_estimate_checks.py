"""Wait estimates are compared with the truth when a number is passed."""

from dataclasses import replace

from domain.estimates.estimate_checks import EVERY_S, MAX_GAP_S, MAX_PROMISES, EstimateChecks, QueueSeen

START = QueueSeen(round=(1, 1), now_s=1_000.0, serving_number=0, last_number=50, estimate_s=30.0)


def watch(checks: EstimateChecks, start: QueueSeen, *, seconds: int, serving_number: int = 0) -> list[float]:
    """Read the queue each second, and return the errors that were found."""
    errors: list[float] = []
    for second in range(1, seconds + 1):
        seen = replace(start, now_s=start.now_s + second, serving_number=serving_number, estimate_s=None)
        errors += checks.compare(seen)
    return errors


def test_error_is_the_estimate_minus_the_wait() -> None:
    checks = EstimateChecks()
    assert checks.compare(START) == []
    assert watch(checks, START, seconds=39) == []
    called = replace(START, now_s=START.now_s + 40, serving_number=50, estimate_s=None)
    assert checks.compare(called) == [-10.0]
    assert checks.compare(replace(called, now_s=called.now_s + 1)) == []


def test_number_that_is_still_waiting_has_no_error_yet() -> None:
    checks = EstimateChecks()
    checks.compare(START)
    assert watch(checks, START, seconds=5, serving_number=49) == []


def test_estimates_are_sampled_at_intervals_and_their_number_is_bounded() -> None:
    checks, made = EstimateChecks(), MAX_PROMISES * 2
    for number in range(made):
        checks.compare(replace(START, now_s=START.now_s + number * EVERY_S, last_number=50 + number))
        checks.compare(replace(START, now_s=START.now_s + number * EVERY_S + 1, last_number=50 + number))
    end = replace(START, now_s=START.now_s + (made - 1) * EVERY_S + 2, serving_number=1_000, last_number=1_000)
    assert len(checks.compare(end)) == MAX_PROMISES


def test_nothing_is_concluded_from_a_queue_that_was_not_read_for_long() -> None:
    checks = EstimateChecks()
    checks.compare(START)
    late = replace(START, now_s=START.now_s + MAX_GAP_S + 1, serving_number=50)
    assert checks.compare(late) == []
    assert checks.compare(replace(late, now_s=late.now_s + 1)) == []


def test_estimates_of_an_earlier_round_are_forgotten() -> None:
    for round_ in ((2, 1), (1, 2)):
        checks = EstimateChecks()
        checks.compare(START)
        reset = replace(START, round=round_, now_s=START.now_s + 1, serving_number=60, last_number=60)
        assert checks.compare(reset) == []


def test_queue_in_which_no_one_waits_is_not_sampled() -> None:
    checks = EstimateChecks()
    checks.compare(replace(START, serving_number=50))
    assert watch(checks, START, seconds=3, serving_number=60) == []
