"""The terminal in which `python app.py` runs, if any."""

import os
import sys


def write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def has_terminal() -> bool:
    """Return whether this process has a controlling terminal, which sends SIGHUP when it closes."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
