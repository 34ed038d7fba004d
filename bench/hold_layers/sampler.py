"""A sampler that looks at the stack of the main thread at regular amounts of CPU time.

Python handles a signal between two instructions, so the time of a call into C counts for the
function that made it.
"""

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from bench.hold_layers.layers import find_layer

INTERVAL_S = 0.004
"""The CPU time between two samples. Kernels with 250 ticks a second cannot sample more often, and
so few samples cost a hundredth of the CPU time or less.
"""


@contextmanager
def sample_layers(samples: Counter[str]) -> Iterator[None]:
    """Count the layers of the samples that are taken during a block."""

    def count(_number: int, frame: FrameType | None) -> None:
        samples[find_layer(_modules(frame))] += 1

    before = signal.signal(signal.SIGPROF, count)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        # A signal that is already pending must not end the process.
        signal.signal(signal.SIGPROF, signal.SIG_IGN if before == signal.SIG_DFL else before)


def _modules(frame: FrameType | None) -> Iterator[str]:
    while frame is not None:
        yield frame.f_globals.get("__name__", "")
        frame = frame.f_back
