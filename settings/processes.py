"""The number of server processes: a number, or `auto` for one per core."""

import os

from settings.reader import SettingsReader

MAX_PROCESSES = 64
"""More processes than cores only share the cores; a larger number is probably a mistake."""


def read_processes(reader: SettingsReader, name: str, default: int) -> int:
    value = reader.optional(name)
    if value == "auto":
        return min(count_cores(), MAX_PROCESSES)
    if value is not None and not (value.isascii() and value.isdecimal() and 1 <= int(value[:20]) <= MAX_PROCESSES):
        reader.report(f"ONSALE_{name} is {value[:64]!r}; it must be a whole number from 1 to {MAX_PROCESSES}, or auto")
        return default
    return default if value is None else int(value)


def count_cores() -> int:
    """Return how many cores this process may use."""
    # macOS does not limit a process to some of the cores.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
