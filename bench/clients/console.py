"""Writes status messages to standard error, because standard output is for results."""

import sys


def write_status(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
