"""Kills the own process between two steps of the saga, at random visits of a crash point.

Before the kill, the process has just finished one step of some order, and begun no other.
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
        """`chances` has the chance of a crash at each visit of a point; `start` is the number of
        times that the process was started.
        """
        self._chances = chances
        self._random = random.Random(f"{seed}:{start}")

    def reached(self, point: CrashPoint) -> None:
        if self._random.random() < self._chances.get(point, 0.0):
            sys.stdout.write(f"{CRASHED} {point}\n")
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGKILL)


def count_crashes(log: Path) -> Counter[str]:
    """Return how often a process has crashed at each point, from its log."""
    lines = log.read_text(errors="replace").splitlines()
    return Counter(line.removeprefix(f"{CRASHED} ") for line in lines if line.startswith(CRASHED))
