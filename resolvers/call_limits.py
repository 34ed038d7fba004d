"""The rate limits of this process: the rates that Lua scripts check, and token buckets that refuse
requests before they reach a store or the payment provider.
"""

import math
import time
from collections.abc import Callable

from domain.ids import PersonId
from domain.limits.errors import RateLimited
from domain.limits.rates import NO_LIMITS, CallRates, LimitedCall, Rate, RateLimits, RateScope
from domain.limits.token_bucket import TokenBuckets
from telemetry.counters import rate_limited


class CallLimits:
    def __init__(self, rates: RateLimits = NO_LIMITS, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.rates = rates
        self._hold_requests = _CallLimit(LimitedCall.HOLD_TICKETS, rates.hold_requests, clock)
        self._payment_syncs = _CallLimit(LimitedCall.SYNC_ORDER_PAYMENT, rates.payment_syncs, clock)
        self._transfers = _CallLimit(LimitedCall.TRANSFER_TICKET, rates.transfers, clock)
        self._check_ins = _CallLimit(LimitedCall.CHECK_IN_TICKETS, rates.check_ins, clock)

    def count_hold_request(self, person_id: PersonId, address: str | None) -> None:
        """Count a request for a hold. Raises RateLimited."""
        self._hold_requests.count(person_id, address)

    def count_payment_sync(self, person_id: PersonId, address: str | None) -> None:
        """Count a request to the payment provider. Raises RateLimited."""
        self._payment_syncs.count(person_id, address)

    def count_transfer(self, person_id: PersonId, address: str | None) -> None:
        """Count an offer of a ticket, which sends an email. Raises RateLimited."""
        self._transfers.count(person_id, address)

    def count_check_in(self, person_id: PersonId, address: str | None) -> None:
        """Count a call that checks tickets in. Raises RateLimited."""
        self._check_ins.count(person_id, address)


class _CallLimit:
    """The limit of one call."""

    def __init__(self, call: LimitedCall, rates: CallRates, clock: Callable[[], float]) -> None:
        self._call = call
        self._rates = rates
        self._clock = clock
        self._people = TokenBuckets(rates.per_person)
        self._addresses = TokenBuckets(rates.per_address)

    def count(self, person_id: PersonId, address: str | None) -> None:
        """Count a call. Raises RateLimited.

        A call above the person's rate does not count toward the rate of their address.
        """
        per_person, per_address = self._rates.per_person, self._rates.per_address
        now_s = self._clock()
        if per_person is not None and (wait_s := self._people.take(person_id, now_s)) > 0:
            raise self._refusal(RateScope.PERSON, per_person, wait_s)
        if per_address is not None and address is not None and (wait_s := self._addresses.take(address, now_s)) > 0:
            raise self._refusal(RateScope.ADDRESS, per_address, wait_s)

    def _refusal(self, scope: RateScope, rate: Rate, wait_s: float) -> RateLimited:
        rate_limited.labels(call=self._call.value).inc()
        return RateLimited(self._call, scope, rate, retry_after_s=math.ceil(wait_s))
