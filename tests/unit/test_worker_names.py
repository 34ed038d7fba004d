"""The names of the workers of a process."""

from workers.runner import ALL


def test_each_worker_runs_once_in_a_process() -> None:
    assert len(ALL) == len(set(ALL))
