"""ONSALE_BUYERS decides whether buying requires the role customer."""

import pytest

from settings import Settings, SettingsError


@pytest.mark.parametrize(("value", "expected"), [(None, False), ("customer", False), ("signed-in", True)])
def test_buyers_need_the_role_unless_the_setting_says_otherwise(value: str | None, expected: bool) -> None:
    environ = {"ONSALE_BUYERS": value} if value else {}
    assert Settings.from_env(environ).signed_in_may_buy is expected


def test_refusal_of_an_unknown_buyers_setting_names_the_allowed_values() -> None:
    with pytest.raises(SettingsError, match=r"ONSALE_BUYERS.*customer.*signed-in"):
        Settings.from_env({"ONSALE_BUYERS": "everyone"})
