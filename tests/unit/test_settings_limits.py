"""Limits are read from settings: rates as `count/seconds` or `off`, and numbers."""

from dataclasses import fields

import pytest

from bench.clients.servers import app_settings
from domain.limits.operations import OperationLimits
from domain.limits.rates import NO_LIMITS, CallRates, Rate
from settings import LimitSettings, Settings, SettingsError
from subscriptions.sockets.limits import Limits
from web.configuration.limits import make_operation_limits, make_rate_limits, make_socket_limits


def read(**variables: str) -> LimitSettings:
    return Settings.from_env({f"ONSALE_LIMIT_{name}": value for name, value in variables.items()}).limit


def test_rates_and_numbers_are_read() -> None:
    limit = read(JOINS_PER_PERSON="5/3600", HOLDS_PER_ADDRESS="off", STREAMS="7", COST="99")
    assert (limit.joins_per_person, limit.holds_per_address, limit.streams, limit.cost) == ((5, 3_600), None, 7, 99)
    assert read() == LimitSettings()


@pytest.mark.parametrize("value", ["20", "20/", "/60", "0/60", "20/0", "-1/60", "20/3601", "20 / 60", "none", "1.5/60"])
def test_refusal_of_a_malformed_rate_shows_the_expected_form(value: str) -> None:
    with pytest.raises(SettingsError, match=r"ONSALE_LIMIT_JOINS_PER_PERSON is .*; write it as count/seconds"):
        read(JOINS_PER_PERSON=value)


@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_malformed_number_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="ONSALE_LIMIT_STREAMS is"):
        read(STREAMS=value)


def test_application_passes_each_rate_to_the_call_it_limits() -> None:
    limits = make_rate_limits(
        read(
            JOINS_PER_PERSON="1/10",
            JOINS_PER_ADDRESS="2/10",
            HOLDS_PER_PERSON="3/10",
            HOLDS_PER_ADDRESS="4/10",
            PURCHASES_PER_PERSON="5/10",
            PURCHASES_PER_ADDRESS="off",
            HOLD_REQUESTS_PER_PERSON="7/10",
            HOLD_REQUESTS_PER_ADDRESS="8/10",
        )
    )
    assert limits.joins == CallRates(Rate(1, 10), Rate(2, 10))
    assert limits.holds == CallRates(Rate(3, 10), Rate(4, 10))
    assert limits.purchases == CallRates(Rate(5, 10), None)
    assert limits.hold_requests == CallRates(Rate(7, 10), Rate(8, 10))


def test_application_applies_the_socket_limits_from_the_settings() -> None:
    assert make_socket_limits(LimitSettings()) == Limits()
    limit = read(
        STREAMS="1",
        STREAMS_PER_ADDRESS="2",
        STREAMS_PER_PERSON="3",
        OPERATIONS_PER_SOCKET="4",
        MESSAGE_BYTES="5",
        MESSAGES_PER_SECOND="6",
        MESSAGES_BURST="7",
    )
    assert make_socket_limits(limit) == Limits(
        streams=1,
        streams_per_address=2,
        streams_per_person=3,
        operations_per_socket=4,
        message_bytes=5,
        messages_per_s=6,
        messages_burst=7,
    )


def test_application_applies_the_operation_limits_from_the_settings() -> None:
    assert make_operation_limits(LimitSettings()) == OperationLimits()
    names = [field.name for field in fields(OperationLimits)]
    given = read(**{name.upper(): str(number) for number, name in enumerate(names, start=1)})
    limits = make_operation_limits(given)
    assert [getattr(limits, name) for name in names] == list(range(1, len(names) + 1))


def test_load_tests_turn_off_every_rate_limit() -> None:
    variables = {f"ONSALE_{name}": value for name, value in app_settings("redis://x", "mongodb://x").items()}
    assert make_rate_limits(Settings.from_env(variables).limit) == NO_LIMITS
