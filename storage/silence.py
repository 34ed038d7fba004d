"""Notices a store that has become silent, so that calls are refused at once instead of waiting for
it one after another.

While no pipeline receives a reply, calls that were not sent are refused, and a single probe runs.
The first reply, or an error that is not a timeout, ends the silence.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from redis.exceptions import TimeoutError as RedisTimeoutError

from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from storage.hot.pipeline import Call
from storage.keys import concert_keys
from storage.scripts import FIND_UNRECORDED

log = logging.getLogger(__name__)

SILENT_AFTER_S = 1.0
"""Longer than any script or fsync of a healthy store takes."""
RECHECK_S = 0.01
"""How long to wait once more, so that replies that arrived during a standstill of the process are
read first.
"""
RETRY_AFTER_S = 2
_PROBED = concert_keys(ConcertId("probe"))


class Watched(Protocol):
    """A pipeline. The times are those of `time.monotonic`."""

    @property
    def is_idle(self) -> bool: ...

    @property
    def started_s(self) -> float:
        """When the current batch was started."""

    @property
    def replied_s(self) -> float:
        """When the last reply arrived."""

    def start(self, batch: list[Call]) -> None: ...


class SilenceWatch:
    def __init__(self, pipelines: Sequence[Watched], *, on_silence: Callable[[], None]) -> None:
        """`on_silence` refuses the calls that are waiting."""
        self._pipelines = pipelines
        self._on_silence = on_silence
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._is_overdue = False
        self._is_closed = False
        self._silent_since_s: float | None = None
        self._probe: asyncio.Future[list[object]] | None = None

    @property
    def is_silent(self) -> bool:
        return self._silent_since_s is not None

    def refusal(self) -> TemporarilyUnavailable:
        return TemporarilyUnavailable("The stock store does not answer", retry_after_s=RETRY_AFTER_S)

    def batch_started(self) -> None:
        if self._timer is None and not self._is_closed:
            self._timer = self._loop.call_later(SILENT_AFTER_S, self._check)

    def batch_ended(self) -> None:
        """Look whether the batch ended with replies, and if not, whether a probe can start."""
        if self._silent_since_s is not None:
            if max(pipeline.replied_s for pipeline in self._pipelines) > self._silent_since_s:
                self._end()
            else:
                self._start_probe()

    def close(self) -> None:
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _check(self) -> None:
        self._timer = None
        busy = [pipeline.started_s for pipeline in self._pipelines if not pipeline.is_idle]
        if not busy or self.is_silent or self._is_closed:
            self._is_overdue = False
            return
        last_s = max(min(busy), *(pipeline.replied_s for pipeline in self._pipelines))
        left_s = last_s + SILENT_AFTER_S - time.monotonic()
        if left_s <= 0 and self._is_overdue:
            self._is_overdue = False
            self._begin()
            return
        self._is_overdue = left_s <= 0
        self._timer = self._loop.call_later(RECHECK_S if self._is_overdue else left_s, self._check)

    def _begin(self) -> None:
        self._silent_since_s = time.monotonic()
        log.warning("the stock store has not answered for %.0f s; calls are refused until it does", SILENT_AFTER_S)
        self._on_silence()
        self._start_probe()

    def _end(self) -> None:
        if self._silent_since_s is not None:
            log.warning("the stock store ended a silence of %.0f s", time.monotonic() - self._silent_since_s)
        self._silent_since_s = None

    def _start_probe(self) -> None:
        idle = next((pipeline for pipeline in self._pipelines if pipeline.is_idle), None)
        if idle is None or self._is_closed or (self._probe is not None and not self._probe.done()):
            return
        self._probe = self._loop.create_future()
        self._probe.add_done_callback(self._probe_ended)
        # A call that counts as repeated is sent only once.
        idle.start([Call(FIND_UNRECORDED, _PROBED, (), self._probe, is_repeated=True)])

    def _probe_ended(self, probe: "asyncio.Future[list[object]]") -> None:
        error = None if probe.cancelled() else probe.exception()
        if self.is_silent and not (error is not None and isinstance(error.__cause__, RedisTimeoutError)):
            self._end()
        elif self.is_silent:
            self._start_probe()
