"""Reports what keeps this process from selling tickets, and logs each change of it."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from storage.readiness.hot_store import HotStoreCheck, OtherStore
from storage.readiness.order_database import OrderDatabaseCheck
from storage.sync.detached import DetachedTasks
from storage.sync.single_flight import SingleFlight

log = logging.getLogger(__name__)

READY_WITHIN_S = 4.0
"""Longer than the drivers' own timeouts, so that an answer names their errors."""
RECENT_S = 1.0
"""How long after its beginning the result of a check is given again. With the time of a check, a
failure is seen within two seconds, and no number of requests costs the stores more than this.
"""
STARTING_S = 10.0
"""How long a new process may lack indexes or a primary before this is logged."""


class Superseded(Protocol):
    """The concerts that another store has taken over."""

    def count(self) -> int: ...

    def other_stores(self) -> Sequence[OtherStore]: ...


class Layout(Protocol):
    """The comparison of this process's layout with those of the stores."""

    @property
    def problem(self) -> str | None: ...

    async def check(self) -> None: ...


class Clocks(Protocol):
    """The last comparison of the clocks."""

    problem: str | None
    warning: str | None


class Readiness:
    def __init__(
        self,
        hot: HotStoreCheck,
        orders: OrderDatabaseCheck,
        superseded: Superseded,
        *,
        layout: Layout,
        clocks: Clocks,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hot = hot
        self._orders = orders
        self._superseded = superseded
        self._layout = layout
        self._clocks = clocks
        self._clock = clock
        self._recent: tuple[float, list[str]] | None = None
        """When the last check began, and what it found."""
        self._tasks = DetachedTasks()
        self._checks = SingleFlight[None, list[str]]()
        self._first_s: float | None = None
        self._was_ready = False
        self._logged: list[str] = []

    async def problems(self) -> list[str]:
        """Return a sentence for each store that is not ready: address, reason and next step.

        Calls at the same time share one check, so many callers do not delay it.
        """
        return list(await self._checks.run(None, self._check, owner=self._tasks))

    async def recent_problems(self) -> list[str]:
        """Return the problems that the last check found if it began within the last second, and
        otherwise those of a new check.
        """
        if self._recent is not None and self._clock() - self._recent[0] < RECENT_S:
            return list(self._recent[1])
        return await self.problems()

    @property
    def warnings(self) -> list[str]:
        """Return a sentence for each condition that does not keep this process from selling."""
        return [] if self._clocks.warning is None else [self._clocks.warning]

    async def aclose(self) -> None:
        await self._tasks.aclose(patience_s=0)

    async def _check(self) -> list[str]:
        began_s = self._clock()
        await self._layout.check()
        # A store with a newer layout is not written to.
        problems = [self._layout.problem] if self._layout.problem else await self._check_stores()
        if self._clocks.problem is not None:
            problems.append(self._clocks.problem)
        self._recent = began_s, problems
        self._log(problems)
        return problems

    async def _check_stores(self) -> list[str]:
        found = await asyncio.gather(
            self._hot.problem(within_s=READY_WITHIN_S), self._orders.problem(within_s=READY_WITHIN_S)
        )
        problems = [problem for problem in found if problem]
        if not problems and (deployment := self._orders.deployment):
            claimed = await self._hot.claim(deployment, within_s=READY_WITHIN_S)
            problems = [claimed] if claimed else []
        if count := self._superseded.count():
            problems.append(self._hot.describe_superseded(count, self._superseded.other_stores()))
        return problems

    def _log(self, problems: list[str]) -> None:
        """Log each change once, but not what a start repairs by itself within seconds."""
        if not problems:
            self._was_ready = True
            if self._logged:
                log.warning("this server is ready again")
            self._logged = []
            return
        now_s = self._clock()
        if self._first_s is None:
            self._first_s = now_s
        is_starting = not self._was_ready and now_s - self._first_s < STARTING_S
        if problems != self._logged and not is_starting:
            self._logged = problems
            log.warning("this server is not ready: %s", "; ".join(problems))
