"""The rate limits of this process: the rates that Lua scripts check, and token buckets that refuse
requests before they reach the store.
"""

import math
import time
from collections.abc import Callable

from domain.errors import RateLimited
from domain.ids import PersonId
from domain.limits.rates import NO_LIMITS, LimitedCall, RateLimits, RateScope
from domain.limits.token_bucket import TokenBuckets
from telemetry.counters import rate_limited


class CallLimits:
    def __init__(self, rates: RateLimits = NO_LIMITS, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.rates = rates
        self._clock = clock
        self._people = TokenBuckets(rates.hold_requests.per_person)
        self._addresses = TokenBuckets(rates.hold_requests.per_address)

    def count_hold_request(self, person_id: PersonId, address: str | None) -> None:
        """Count a request for a hold. Raises RateLimited.

        A request above the person's rate does not count toward the rate of their address.
        """
        self._take(self._people, RateScope.PERSON, person_id)
        if address is not None:
            self._take(self._addresses, RateScope.ADDRESS, address)

    def _take(self, buckets: TokenBuckets, scope: RateScope, key: str) -> None:
        rate, wait_s = self.rates.hold_requests.of(scope), buckets.take(key, self._clock())
        if rate is not None and wait_s > 0:
            rate_limited.labels(call=LimitedCall.HOLD_TICKETS.value).inc()
            raise RateLimited(LimitedCall.HOLD_TICKETS, scope, rate, retry_after_s=math.ceil(wait_s))
