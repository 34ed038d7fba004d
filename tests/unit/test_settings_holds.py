"""ONSALE_BATCHED_HOLDS decides whether concurrent holds share runs of their script."""

import pytest

from settings import Settings, SettingsError


@pytest.mark.parametrize(("value", "expected"), [(None, True), ("yes", True), ("no", False)])
def test_holds_are_batched_unless_the_setting_says_no(value: str | None, expected: bool) -> None:
    environ = {"ONSALE_BATCHED_HOLDS": value} if value else {}
    assert Settings.from_env(environ).batched_holds is expected


def test_refusal_of_an_unknown_answer_names_the_allowed_ones() -> None:
    with pytest.raises(SettingsError, match=r"ONSALE_BATCHED_HOLDS.*yes.*no"):
        Settings.from_env({"ONSALE_BATCHED_HOLDS": "64"})
