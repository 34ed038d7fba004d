"""Kills its own process between two steps of the saga, at random crash points.

At that moment, the process has just finished a step of an order, and has not begun the next.
"""

import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from payments.saga.crash_points import CrashPoint

CRASHED = "crashed at"


class CrashPlan:
    def __init__(self, chances: Mapping[CrashPoint, float], *, seed: int, start: int) -> None:
        """`chances` has, for each point, the probability of a crash each time the point is reached;
        `start` is the number of times the process has been started.
        """
        self._chances = chances
        self._random = random.Random(f"{seed}:{start}")

    def reached(self, point: CrashPoint) -> None:
        if self._random.random() < self._chances.get(point, 0.0):
            sys.stdout.write(f"{CRASHED} {point}\n")
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGKILL)


def count_crashes(log: Path) -> Counter[str]:
    """Return how often a process has crashed at each point, according to its log."""
    lines = log.read_text(errors="replace").splitlines()
    return Counter(line.removeprefix(f"{CRASHED} ") for line in lines if line.startswith(CRASHED))
