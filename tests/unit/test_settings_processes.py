"""ONSALE_PROCESSES is a number of processes, or `auto`."""

import os

import pytest

from settings import Settings, SettingsError


@pytest.mark.parametrize(("value", "processes"), [("", 1), ("1", 1), ("4", 4), ("64", 64)])
def test_number_of_processes_is_read(value: str, processes: int) -> None:
    assert Settings.from_env({"ONSALE_PROCESSES": value}).processes == processes


def test_auto_is_one_process_for_each_core_that_may_be_used() -> None:
    cores = len(os.sched_getaffinity(0))
    assert Settings.from_env({"ONSALE_PROCESSES": "auto"}).processes == min(cores, 64)


@pytest.mark.parametrize("value", ["0", "65", "-1", "two", "1.5", "AUTO", "٣", "9" * 5_000])
def test_wrong_number_of_processes_is_named_with_what_is_allowed(value: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_env({"ONSALE_PROCESSES": value})
    assert str(raised.value).endswith("; it must be a whole number from 1 to 64, or auto")
