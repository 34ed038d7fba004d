"""Measures how long the event loop stands still, and how long plans take to compile."""

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from schema.plans.document_plans import PlanCompiler

PROBE_S = 0.001


@dataclass(slots=True)
class LoopProbe:
    """The CPU time of the event loop, in milliseconds.

    CPU time is measured so that other processes on the machine do not affect the result. Garbage
    collections are counted separately: they are rare, and any request may trigger one.
    """

    busy_ms: list[float] = field(default_factory=list)
    """The CPU time used between two calls of a timer, excluding garbage collections."""
    collections_ms: list[float] = field(default_factory=list)
    """The duration of each garbage collection in the thread of the event loop."""
    _thread: int = field(default_factory=threading.get_ident)
    _began_s: float = 0.0

    async def run(self) -> None:
        while True:
            began_s, collections = time.thread_time(), len(self.collections_ms)
            await asyncio.sleep(PROBE_S)
            used_ms = (time.thread_time() - began_s) * 1_000
            self.busy_ms.append(used_ms - sum(self.collections_ms[collections:]))

    def record_collection(self, phase: str, _: dict[str, int]) -> None:
        """Record the duration of a garbage collection; this is a callback for `gc.callbacks`."""
        if threading.get_ident() != self._thread:
            return
        if phase == "start":
            self._began_s = time.thread_time()
        else:
            self.collections_ms.append((time.thread_time() - self._began_s) * 1_000)


@contextmanager
def probed_loop() -> Iterator[LoopProbe]:
    probe = LoopProbe()
    gc.callbacks.append(probe.record_collection)
    task = asyncio.create_task(probe.run())
    try:
        yield probe
    finally:
        task.cancel()
        gc.callbacks.remove(probe.record_collection)


@contextmanager
def timed_compilations() -> Iterator[list[float]]:
    """Yield a list to which the CPU time of each plan that is compiled is added, in milliseconds.

    Unlike the busy time of a probe, it includes garbage collections.
    """
    took_ms: list[float] = []
    compile_plan = PlanCompiler.compile

    def compile_and_time(compiler: PlanCompiler, *given: Any) -> Any:
        began_s = time.thread_time()
        plan = compile_plan(compiler, *given)
        took_ms.append((time.thread_time() - began_s) * 1_000)
        return plan

    with mock.patch.object(PlanCompiler, "compile", compile_and_time):
        yield took_ms
