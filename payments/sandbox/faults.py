"""The faults that can be switched on. They are kept in memory, so a restart removes them."""

import random
from dataclasses import dataclass
from enum import StrEnum

MAX_FAULTS = 100


class FaultKind(StrEnum):
    ERROR_AFTER = "error_after"
    """The request is executed, and the answer is 500."""
    ERROR_BEFORE = "error_before"
    """The request is not executed, and the answer is 500. As at Stripe, the answer is stored under
    the idempotency key.
    """
    UNAVAILABLE = "unavailable"
    """The request is not executed, and the answer is 503, which is not stored."""
    RATE_LIMIT = "rate_limit"
    SLOW = "slow"
    """The request is executed after a pause."""
    SLOW_ANSWER = "slow_answer"
    """The request is executed at once, and the answer is sent after a pause."""
    DOWN = "down"
    """The request is not executed, and the connection is closed."""
    CUT = "cut"
    """The request is executed, and the connection is closed."""
    NONSENSE = "nonsense"
    """The request is not executed, and the answer is an HTML page with status 200."""


@dataclass(slots=True)
class Fault:
    kind: FaultKind
    operation: str | None = None
    """The operation that the fault affects, such as `create_intent`; None for all operations."""
    remaining: int | None = 1
    """The number of requests that the fault still affects, or None if it lasts until it is
    removed.
    """
    seconds: float = 0.0
    probability: float = 1.0


class Faults:
    def __init__(self, seed: int = 0) -> None:
        self._faults: list[Fault] = []
        self._random = random.Random(seed)  # noqa: S311 - a proof repeats its faults by the seed

    def add(self, fault: Fault) -> None:
        if len(self._faults) >= MAX_FAULTS:
            raise ValueError(f"at most {MAX_FAULTS} faults can be switched on")
        self._faults.append(fault)

    def clear(self) -> None:
        self._faults.clear()

    def take(self, operation: str) -> Fault | None:
        """Return the fault that affects this request, if any, and count it."""
        for fault in self._faults:
            if fault.operation not in (None, operation):
                continue
            if fault.probability < 1 and self._random.random() >= fault.probability:
                continue
            if fault.remaining is not None:
                fault.remaining -= 1
                if fault.remaining == 0:
                    self._faults.remove(fault)
            return fault
        return None
