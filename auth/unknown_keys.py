"""Decides which tokens with an unknown key id may cause a fetch of the issuer's keys.

Anyone can send tokens with random key ids, so fetches that find no new key are limited. Two limits
count separately: one for ids that are seen for the first time, and one for ids that were refused
before. Random ids are never repeated, so they use up only the first limit, while a new key of the
issuer appears in token after token, and the second such token causes a fetch. A sender that
repeats its ids can use up both; then a new key is found when a cooldown ends.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Value = TypeVar("Value")

MAX_IDS = 1_024
"""The maximum number of ids in each memory, beyond which the oldest is forgotten."""
MAX_REMEMBERED_CHARACTERS = 128
"""The length of the longest id that is remembered. Keycloak's have 43 characters."""
BURST = 3
"""How many fetches need no cooldown, since tokens from other realms may arrive by mistake."""


@dataclass(slots=True)
class Cooldown:
    """Allows `BURST` fetches at once, and then one per `duration_s`."""

    duration_s: float
    clock: Callable[[], float]
    _used_until_s: float = float("-inf")

    @property
    def left_s(self) -> float:
        """The time until the next fetch is allowed."""
        return max(0.0, self._used_until_s - self.clock() - (BURST - 1) * self.duration_s)

    def count_fetch(self) -> None:
        self._used_until_s = max(self._used_until_s, self.clock()) + self.duration_s

    def start(self) -> None:
        self._used_until_s = self.clock() + BURST * self.duration_s


class UnknownKeys:
    def __init__(self, cooldown_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._for_new_ids = Cooldown(cooldown_s, clock)
        self._for_repeated_ids = Cooldown(cooldown_s, clock)
        self._refused = OrderedDict[str, None]()
        """The ids that were refused during a cooldown and not looked up since then."""
        self._absent = OrderedDict[str, float]()
        """The ids that a fetch did not find, each with the time until which it causes no other
        fetch: a key is published before any token is signed with it.
        """
        self._cooldown_s = cooldown_s
        self._clock = clock

    def is_absent(self, kid: str) -> bool:
        """Return whether a recent fetch showed that the issuer does not publish the key."""
        return self._absent.get(kid, float("-inf")) > self._clock()

    def claim_fetch(self, kid: str) -> Cooldown | None:
        """Return the cooldown that counts the fetch if it finds no new key, or None if no fetch is
        allowed now.
        """
        if kid in self._refused and self._for_repeated_ids.left_s == 0:
            return self._for_repeated_ids
        if self._for_new_ids.left_s == 0:
            return self._for_new_ids
        _remember(self._refused, kid, None)
        return None

    def retry_after_s(self) -> int:
        """Return the number of seconds to wait before sending a refused token again."""
        return max(1, math.ceil(min(self._for_new_ids.left_s, self._for_repeated_ids.left_s)))

    def record_absent(self, kid: str) -> None:
        """Record that the issuer answered and does not publish the key."""
        self._refused.pop(kid, None)
        _remember(self._absent, kid, self._clock() + self._cooldown_s)

    def record_outage(self) -> None:
        """Record that the issuer did not answer, so no token causes a fetch for a while."""
        self._for_new_ids.start()
        self._for_repeated_ids.start()


def _remember(memory: "OrderedDict[str, Value]", kid: str, value: Value) -> None:
    if len(kid) > MAX_REMEMBERED_CHARACTERS:
        return
    memory[kid] = value
    memory.move_to_end(kid)
    if len(memory) > MAX_IDS:
        memory.popitem(last=False)
