"""Rate limits in the arguments and replies of scripts, and the counter for calls that belong to no
concert.
"""

from collections.abc import Sequence
from functools import lru_cache

from domain.limits.errors import RateLimited
from domain.limits.rates import CallRates, LimitedCall, Rate, RateScope
from storage import scripts
from storage.hot import replies
from storage.hot.script_client import ScriptClient
from storage.keys import rate_key
from storage.scripts import ScriptReplyError
from telemetry.counters import rate_limited


def rate_arguments(rates: CallRates, address: str | None) -> tuple[str, str]:
    """Return the arguments `address` and `rates` of a script. A call without an address counts only
    toward the person's limit.
    """
    per_address = None if address is None else rates.per_address
    if rates.per_person is None and per_address is None:
        return "", ""
    return address or "", _rates_text(rates.per_person, per_address)


def rate_limited_error(call: LimitedCall, rates: CallRates, rest: Sequence[bytes | int]) -> RateLimited:
    """Count the refusal, and return its error, given the values after RATE_LIMITED: the scope and
    the ms to wait.
    """
    scope = RateScope(replies.text(rest[0]))
    rate = rates.of(scope)
    assert rate is not None
    rate_limited.labels(call=call.value).inc()
    return RateLimited(call, scope, rate, retry_after_s=whole_seconds(int(rest[1])))


def whole_seconds(ms: int) -> int:
    return max(1, -(-ms // 1000))


@lru_cache(maxsize=64)
def _rates_text(per_person: Rate | None, per_address: Rate | None) -> str:
    """Return the text for these rates. A process has only a few different ones."""
    return f"{_pair(per_person)},{_pair(per_address)}"


def _pair(rate: Rate | None) -> str:
    return "0,0" if rate is None else f"{rate.count},{rate.seconds * 1000}"


class CallCounter:
    """Counts calls that belong to no concert, such as logins, for all processes together."""

    def __init__(self, client: ScriptClient) -> None:
        self._client = client

    async def count(self, call: str, subject: str, rate: Rate) -> int:
        """Count a call. Return 0, or the number of seconds to wait.

        A call that must wait is not counted. Raises TemporarilyUnavailable.
        """
        keys, window_ms = (rate_key(call, subject),), rate.seconds * 1000
        word, rest = await self._client.call_with_keys(scripts.COUNT_CALL, keys, rate.count, window_ms)
        match word:
            case "ALLOWED":
                return 0
            case "RATE_LIMITED":
                return whole_seconds(int(rest[0]))
            case _:
                raise ScriptReplyError(scripts.COUNT_CALL.name, word)
