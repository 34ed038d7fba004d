"""Limits per address are shared by the server processes, which admit no more than them in total."""

import dataclasses

import pytest

from settings import LimitSettings, Settings, SettingsError
from settings.limits import SHARED
from web.configuration.limits import make_rate_limits, make_socket_limits


def read(**changes: str) -> Settings:
    return Settings.from_env({f"ONSALE_{name}": value for name, value in changes.items()})


@pytest.mark.parametrize(("limit", "processes", "share"), [(10, 1, 10), (10, 4, 2), (4, 4, 1), (300, 64, 4)])
def test_shares_of_an_address_add_up_to_no_more_than_its_limit(limit: int, processes: int, share: int) -> None:
    settings = read(
        PROCESSES=str(processes),
        LIMIT_STREAMS_PER_ADDRESS="5000" if limit == 300 else str(limit),
        **{f"LIMIT_{name.upper()}": f"{limit}/60" for name in SHARED if name != "streams_per_address"},
    )
    rates = make_rate_limits(settings.process_limit)
    for call in (rates.hold_requests, rates.payment_syncs, rates.transfers, rates.check_ins):
        assert call.per_address is not None
        assert (call.per_address.count, call.per_address.seconds) == (share, 60)
    assert share * processes <= limit
    streams = make_socket_limits(settings.process_limit).streams_per_address
    assert 1 <= streams * processes <= settings.limit.streams_per_address


def test_limits_that_redis_counts_and_those_of_people_are_not_divided() -> None:
    settings = read(PROCESSES="4")
    changed = {
        field.name
        for field in dataclasses.fields(LimitSettings)
        if getattr(settings.limit, field.name) != getattr(settings.process_limit, field.name)
    }
    assert changed == set(SHARED)


def test_limit_that_is_off_stays_off() -> None:
    settings = read(PROCESSES="4", LIMIT_TRANSFERS_PER_ADDRESS="off")
    assert make_rate_limits(settings.process_limit).transfers.per_address is None


def test_limit_below_the_number_of_processes_is_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        read(PROCESSES="4", LIMIT_TRANSFERS_PER_ADDRESS="3/60", LIMIT_STREAMS_PER_ADDRESS="2")
    for name, value in (("TRANSFERS", 3), ("STREAMS", 2)):
        expected = f"ONSALE_LIMIT_{name}_PER_ADDRESS allows {value}, which 4 server processes share; allow at least 4"
        assert expected in str(caught.value)


@pytest.mark.parametrize("processes", [1, 64])
def test_default_limits_suit_every_number_of_processes(processes: int) -> None:
    read(PROCESSES=str(processes))
