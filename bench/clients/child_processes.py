"""Finds the processes that a supervisor has started."""

from pathlib import Path


def find_children(supervisor_pid: int, kind: str) -> list[int]:
    """Return the process ids of the children of a kind, `server` or `workers`, oldest first."""
    found = []
    for word in Path(f"/proc/{supervisor_pid}/task/{supervisor_pid}/children").read_text().split():
        try:
            arguments = Path(f"/proc/{word}/cmdline").read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        if any(argument.startswith(f"{kind},".encode()) for argument in arguments) and b"-I" not in arguments:
            found.append(int(word))
    return sorted(found)
