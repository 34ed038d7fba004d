"""Executes a program so that it is killed when its parent exits.

Usage: `python -I -S launcher.py <parent pid> <program> <argument>…`

This is a separate program because code between fork and exec (`preexec_fn`) may deadlock in a
process with threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    parent_pid, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        # The parent may have exited before the line above took effect.
        if os.getppid() != parent_pid:
            sys.exit("the parent process has exited")
    os.execv(program[0], program)


if __name__ == "__main__":
    main()
