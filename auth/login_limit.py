"""Limits how often one address may begin a login, across all processes."""

from typing import Protocol

from domain.limits.rates import Rate
from telemetry.counters import rate_limited

_CALL = "logins"


class TooManyLogins(Exception):
    """The address has begun too many logins. It may begin the next one after `retry_after_s`."""

    def __init__(self, rate: Rate, *, retry_after_s: int) -> None:
        limit = f"{rate.count:,} in {rate.seconds:,} s per address"
        super().__init__(f"The limit for logins is {limit}; try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s


class CallCounter(Protocol):
    async def count(self, call: str, subject: str, rate: Rate) -> int:
        """Count a call and return 0, or return the seconds to wait without counting it.

        Raises TemporarilyUnavailable.
        """


class LoginLimit:
    def __init__(self, counter: CallCounter, rate: Rate | None) -> None:
        self._counter = counter
        self._rate = rate

    async def count(self, address: str | None) -> None:
        """Count the start of a login. Raises TooManyLogins or TemporarilyUnavailable.

        A client without an address, on a Unix socket, is not limited.
        """
        if self._rate is None or address is None:
            return
        retry_after_s = await self._counter.count(_CALL, address, self._rate)
        if retry_after_s:
            rate_limited.labels(call=_CALL).inc()
            raise TooManyLogins(self._rate, retry_after_s=retry_after_s)
