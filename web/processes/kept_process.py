"""A process that must always run: it is restarted when it ends, and replaced without a gap."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from storage.embedded.process import ServerStartError
from telemetry.metrics import process_restarts
from web.processes.child import Child

log = logging.getLogger(__name__)

START_WITHIN_S = 120.0
"""Long enough for a busy machine on which many processes start at once."""
READY_WITHIN_S = 60.0
STOP_WITHIN_S = 20.0
"""Longer than a server needs for its last requests, its sockets and its stores."""
STABLE_AFTER_S = 10.0
LONGEST_PAUSE_S = 30.0
SUSPECT_ENDS = 3
"""After as many early ends, a cause that does not go away is likely, and is reported."""


def choose_pause_s(early_ends: int) -> float:
    """Return the pause before a restart, after so many early ends in a row."""
    return float(early_ends) if early_ends < SUSPECT_ENDS else LONGEST_PAUSE_S


class ReplacementFailed(Exception):
    """The new process is not ready, so the earlier one goes on."""


class KeptProcess:
    def __init__(self, name: str, start_child: Callable[[], Awaitable[Child]]) -> None:
        self.name = name
        """A name that its successors keep, such as `server-1`."""
        self._start_child = start_child
        process_restarts.show(name)
        self._child: Child | None = None
        self.leaving: Child | None = None
        """The child that was replaced. It may have ended."""
        self._successor: Child | None = None
        """The child that replaces the current one as soon as it is ready."""

    @property
    def child(self) -> Child | None:
        """The current child, if it has not ended."""
        return None if self._child is None or self._child.has_ended else self._child

    async def start(self) -> None:
        """Start the process, and return when it works. Raises ServerStartError."""
        child = self._child = await self._start_child()
        if await child.wait_for(child.started, START_WITHIN_S):
            return
        if child.has_ended:
            raise ServerStartError(f"{self.name} ended with {await child.wait()} during its start; see its lines above")
        await child.kill()
        raise ServerStartError(f"{self.name} did not start within {START_WITHIN_S:.0f} s")

    async def keep_running(self) -> None:
        """Restart the process whenever it ends: immediately at first, then after growing pauses if
        it keeps ending early.
        """
        early_ends, began_s = 0, time.monotonic()
        while True:
            child = self._child
            assert child is not None
            code = await child.wait()
            if child is not self._child:
                began_s = time.monotonic()
                continue
            early_ends = early_ends + 1 if time.monotonic() - began_s < STABLE_AFTER_S else 0
            pause_s = choose_pause_s(early_ends)
            self._report(child, code, early_ends, pause_s)
            await asyncio.sleep(pause_s)
            if child is self._child:
                began_s = time.monotonic()
                await self._restart(child)

    async def replace(self) -> None:
        """Start a new process, and stop the earlier one when the new one is ready.

        Raises ReplacementFailed if the new one does not become ready; it is then stopped.
        """
        try:
            new = self._successor = await self._start_child()
        except OSError as error:
            raise ReplacementFailed(f"{self.name} cannot be started: {error.strerror}") from error
        if not await new.wait_for(new.ready, START_WITHIN_S + READY_WITHIN_S):
            what = f"ended with {await new.wait()}" if new.has_ended else "is not ready; its /readyz would say why"
            await new.stop(STOP_WITHIN_S)
            raise ReplacementFailed(f"the new {self.name} {what}")
        earlier, self._child = self._child, new
        if earlier is not None and not earlier.has_ended:
            self.leaving = earlier
            await earlier.stop(STOP_WITHIN_S)
            self.leaving = None

    async def stop(self) -> None:
        """Stop the process. `keep_running` and `replace` must have been canceled."""
        children = (self._child, self.leaving, self._successor)
        await asyncio.gather(*(child.stop(STOP_WITHIN_S) for child in children if child is not None))

    async def _restart(self, ended: Child) -> None:
        process_restarts.add(self.name)
        try:
            new = await self._start_child()
        except OSError as error:
            log.error("%s cannot be started: %s", self.name, error.strerror)
            return
        if self._child is not ended:
            await new.kill()
            return
        self._child = new
        if not await new.wait_for(new.started, START_WITHIN_S) and not new.has_ended:
            log.error("%s did not start within %.0f s; killing it", self.name, START_WITHIN_S)
            await new.kill()

    def _report(self, child: Child, code: int, early_ends: int, pause_s: float) -> None:
        log.warning("%s (process %d) ended with %d; restarting it in %.0f s", self.name, child.pid, code, pause_s)
        if early_ends == SUSPECT_ENDS:
            log.error(
                "%s has ended %d times within %.0f s of its start, so a restart alone does not help: see the "
                "lines above for the cause. It is tried again every %.0f s",
                *(self.name, early_ends, STABLE_AFTER_S, LONGEST_PAUSE_S),
            )
