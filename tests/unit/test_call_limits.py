"""Requests for holds are limited within the process by a bounded number of token buckets."""

import pytest

from domain.ids import PersonId
from domain.limits.errors import RateLimited
from domain.limits.rates import CallRates, LimitedCall, Rate, RateLimits, RateScope
from domain.limits.token_bucket import TokenBuckets
from resolvers.call_limits import CallLimits

ANN, BEN = PersonId("ann"), PersonId("ben")
OFFICE = "203.0.113.7"


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def limits(per_person: Rate | None = None, per_address: Rate | None = None) -> tuple[CallLimits, Clock]:
    clock = Clock()
    return CallLimits(RateLimits(hold_requests=CallRates(per_person, per_address)), clock=clock), clock


def refusal(made: CallLimits, who: PersonId, address: str | None = OFFICE) -> tuple[RateScope, int | None] | None:
    try:
        made.count_hold_request(who, address)
    except RateLimited as error:
        return error.scope, error.retry_after_s
    return None


def test_person_is_refused_above_the_rate_and_told_when_to_try_again() -> None:
    made, clock = limits(per_person=Rate(2, 10))
    assert [refusal(made, ANN) for _ in range(3)] == [None, None, (RateScope.PERSON, 5)]
    assert refusal(made, BEN) is None
    clock.now_s += 5
    assert [refusal(made, ANN) for _ in range(2)] == [None, (RateScope.PERSON, 5)]


def test_payment_syncs_have_a_separate_limit() -> None:
    rates = RateLimits(hold_requests=CallRates(Rate(1, 10)), payment_syncs=CallRates(Rate(2, 10)))
    made = CallLimits(rates, clock=Clock())
    made.count_hold_request(ANN, OFFICE)
    for _ in range(2):
        made.count_payment_sync(ANN, OFFICE)
    with pytest.raises(RateLimited) as refused:
        made.count_payment_sync(ANN, OFFICE)
    assert (refused.value.call, refused.value.retry_after_s) == (LimitedCall.SYNC_ORDER_PAYMENT, 5)
    assert str(refused.value) == ("The limit for checking payments is 2 in 10 s per person; repeat the request in 5 s.")


def test_refused_requests_do_not_count_against_the_address() -> None:
    made, _ = limits(Rate(1, 10), Rate(2, 10))
    assert [refusal(made, ANN) for _ in range(20)] == [None] + [(RateScope.PERSON, 10)] * 19
    assert [refusal(made, PersonId(who)) for who in ("ben", "cyd")] == [None, (RateScope.ADDRESS, 5)]
    assert refusal(made, PersonId("dan"), None) is None


def test_nothing_is_limited_by_default() -> None:
    made = CallLimits()
    assert [refusal(made, ANN) for _ in range(1_000)] == [None] * 1_000


def test_least_recently_used_bucket_is_dropped_above_the_limit() -> None:
    buckets = TokenBuckets(Rate(1, 10), limit=3)
    for key in ("a", "b", "c"):
        assert buckets.take(key, 0.0) == 0
    assert buckets.take("a", 0.0) == pytest.approx(10)
    assert buckets.take("d", 0.0) == 0
    assert len(buckets) == 3
    assert [buckets.take(key, 0.0) > 0 for key in ("a", "c", "d")] == [True, True, True]
    assert buckets.take("b", 0.0) == 0
