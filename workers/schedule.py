"""The schedule of one worker, in which each concert is due at its own interval.

A concert is due immediately if it is new, or if it gets work while it is idle. A wake-up during a
run makes it due again, because that run may have read an older state. The worker never runs for a
concert more often than the interval of active concerts allows.
"""

import asyncio
import random
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from math import inf

from domain.ids import ConcertId

RELIST_EVERY_S = 0.5
"""How often the list of concerts is read again to find new ones, even if all concerts are idle."""
_EARLY_S = 0.1
"""A concert that will be due within this time runs together with those that are already due, in the
same round trip.
"""


@dataclass(slots=True)
class _Plan:
    due_at: float
    started_at: float = -inf
    is_woken: bool = False
    woken_at: float | None = None
    """When it was woken first since its last run began."""
    changed_after: float = -inf
    """The work of the last run came after this time: when it was woken, or its previous run."""


class Schedule:
    """The schedule of one worker."""

    def __init__(self, *, active_s: float, idle_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._active_s = active_s
        self._idle_s = idle_s
        self._clock = clock
        self._plans: dict[ConcertId, _Plan] = {}
        self._woken = asyncio.Event()
        self._jitter = 1.0

    def due(self, concerts: Collection[ConcertId]) -> list[ConcertId]:
        """Return the concerts that are due.

        The caller must report each of them with `completed` or `failed`.
        """
        now = self._clock()
        self._plans = {id_: self._plans.get(id_) or _Plan(due_at=now) for id_ in concerts}
        if not any(plan.due_at <= now for plan in self._plans.values()):
            return []
        # The jitter is the same for the whole round, so concerts that ran together stay together.
        # It keeps several hosts from running in lockstep.
        self._jitter = random.uniform(1.0, 1.1)  # noqa: S311
        due = {id_: plan for id_, plan in self._plans.items() if self._may_run(plan, now)}
        for plan in due.values():
            plan.changed_after = plan.started_at if plan.woken_at is None else plan.woken_at
            plan.started_at, plan.is_woken, plan.woken_at = now, False, None
        return list(due)

    def longest_delay_s(self, concert_id: ConcertId) -> float:
        """Return for how many seconds the work of the last run has waited at most, or infinity for
        a first run.
        """
        plan = self._plans.get(concert_id)
        return inf if plan is None else self._clock() - plan.changed_after

    def completed(self, concert_id: ConcertId, *, is_active: bool) -> None:
        plan = self._plans.get(concert_id)
        if plan is not None:
            interval_s = self._active_s if is_active or plan.is_woken else self._idle_s
            plan.due_at = plan.started_at + interval_s * self._jitter

    def failed(self, concert_id: ConcertId) -> None:
        """Record a failure, which pauses the concert for the idle interval."""
        self.completed(concert_id, is_active=False)

    def wake(self, concert_id: ConcertId) -> bool:
        """Make a concert due because it has new work. Return False if it is not scheduled."""
        plan = self._plans.get(concert_id)
        if plan is None:
            return False
        plan.is_woken = True
        if plan.woken_at is None:
            plan.woken_at = self._clock()
        plan.due_at = min(plan.due_at, plan.started_at + self._active_s)
        self._woken.set()
        return True

    def wake_all(self) -> None:
        for concert_id in self._plans:
            self.wake(concert_id)

    async def wait(self) -> None:
        """Wait until a concert is due, or it is time to list the concerts again."""
        until = self._clock() + RELIST_EVERY_S
        while (pause_s := min(until, *(plan.due_at for plan in self._plans.values()), until) - self._clock()) > 0:
            self._woken.clear()
            try:
                async with asyncio.timeout(pause_s):
                    await self._woken.wait()
            except TimeoutError:
                return

    def _may_run(self, plan: _Plan, now: float) -> bool:
        return plan.due_at <= now + _EARLY_S and plan.started_at + self._active_s <= now
