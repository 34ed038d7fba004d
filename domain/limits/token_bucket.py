"""Token buckets: each allows a burst of calls, and then a fixed number per second."""

from collections import OrderedDict

from domain.limits.rates import Rate

MAX_BUCKETS = 50_000
"""The maximum number of buckets, about 10 MB. Beyond that, the least recently used one is
dropped; its key then starts with a full bucket again.
"""


class TokenBucket:
    __slots__ = ("_at_s", "_burst", "_per_s", "_tokens")

    def __init__(self, per_s: float, *, burst: int, now_s: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._tokens = float(burst)
        self._at_s = now_s

    def try_take(self, now_s: float) -> bool:
        """Take one token if one is left, and return whether it was taken."""
        tokens = self._tokens + (now_s - self._at_s) * self._per_s
        if tokens > self._burst:
            tokens = float(self._burst)
        self._at_s = now_s
        if tokens < 1:
            self._tokens = tokens
            return False
        self._tokens = tokens - 1
        return True

    @property
    def wait_s(self) -> float:
        """The seconds from the last attempt until a token is available."""
        return max(1 - self._tokens, 0.0) / self._per_s


class TokenBuckets:
    """One bucket for each key, such as a person or an address."""

    def __init__(self, rate: Rate | None, *, limit: int = MAX_BUCKETS) -> None:
        self._rate = rate
        self._limit = limit
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, now_s: float) -> float:
        """Take a token for this key. Return 0, or the seconds until one is available."""
        if self._rate is None:
            return 0.0
        bucket = self._buckets.get(key)
        if bucket is None:
            rate = self._rate
            bucket = self._buckets[key] = TokenBucket(rate.count / rate.seconds, burst=rate.count, now_s=now_s)
            if len(self._buckets) > self._limit:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return 0.0 if bucket.try_take(now_s) else bucket.wait_s
