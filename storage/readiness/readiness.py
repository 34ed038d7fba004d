"""Reports what keeps this process from selling tickets, and logs each change of it."""

import asyncio
import logging
from collections.abc import Callable

from storage.readiness.hot_store import HotStoreCheck
from storage.readiness.order_database import OrderDatabaseCheck

log = logging.getLogger(__name__)

READY_WITHIN_S = 4.0
"""Longer than the drivers' own timeouts, so that an answer names their errors."""


class Readiness:
    def __init__(
        self, hot: HotStoreCheck, orders: OrderDatabaseCheck, *, superseded: Callable[[], int] = lambda: 0
    ) -> None:
        """`superseded` counts the concerts that another store has taken over."""
        self._hot = hot
        self._orders = orders
        self._superseded = superseded
        self._last: list[str] | None = None

    async def problems(self) -> list[str]:
        """Return a sentence for each store that is not ready: address, reason and next step."""
        found = await asyncio.gather(
            self._hot.problem(within_s=READY_WITHIN_S), self._orders.problem(within_s=READY_WITHIN_S)
        )
        problems = [problem for problem in found if problem]
        if not problems and (deployment := await self._orders.deployment_id()):
            claimed = await self._hot.claim(deployment, within_s=READY_WITHIN_S)
            problems = [claimed] if claimed else []
        if count := self._superseded():
            problems.append(self._hot.describe_superseded(count))
        self._log(problems)
        return problems

    def _log(self, problems: list[str]) -> None:
        before, self._last = self._last, problems
        if problems and problems != before:
            log.warning("this server is not ready: %s", "; ".join(problems))
        elif before and not problems:
            log.warning("this server is ready again")
