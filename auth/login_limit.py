"""Limits how often one address may begin a login, across all processes. The development issuer
limits its codes in the same way.
"""

from typing import Protocol

from domain.limits.rates import Rate
from telemetry.counters import rate_limited


class TooManyLogins(Exception):
    """There were too many logins. The next one may begin after `retry_after_s`."""

    def __init__(self, rate: Rate, scope: str, *, retry_after_s: int) -> None:
        limit = f"{rate.count:,} in {rate.seconds:,} s {scope}"
        super().__init__(f"The limit for logins is {limit}; try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class CallCounter(Protocol):
    async def count(self, call: str, subject: str, rate: Rate) -> int:
        """Count a call and return 0, or return the seconds to wait without counting it.

        Raises TemporarilyUnavailable.
        """


class LoginLimit:
    """`call` names the counted calls in Redis and in metrics; `scope` says in refusals whose calls
    are counted.
    """

    def __init__(
        self, counter: CallCounter, rate: Rate | None, *, call: str = "logins", scope: str = "per address"
    ) -> None:
        self._counter = counter
        self._rate = rate
        self._call = call
        self._scope = scope

    async def count(self, address: str | None) -> None:
        """Count the start of a login. Raises TooManyLogins or TemporarilyUnavailable.

        A client without an address, on a Unix socket, is not limited.
        """
        if self._rate is None or address is None:
            return
        retry_after_s = await self._counter.count(self._call, address, self._rate)
        if retry_after_s:
            rate_limited.labels(call=self._call).inc()
            raise TooManyLogins(self._rate, self._scope, retry_after_s=retry_after_s)
