"""ONSALE_HTTP_FAST_PATH decides whether a process has a fast path for HTTP."""

import pytest

from settings import Settings, SettingsError


@pytest.mark.parametrize(("value", "expected"), [(None, True), ("yes", True), ("no", False)])
def test_fast_path_is_used_unless_the_setting_says_no(value: str | None, expected: bool) -> None:
    environ = {"ONSALE_HTTP_FAST_PATH": value} if value else {}
    assert Settings.from_env(environ).http_fast_path is expected


def test_refusal_of_an_unknown_answer_names_the_allowed_ones() -> None:
    with pytest.raises(SettingsError, match=r"ONSALE_HTTP_FAST_PATH.*yes.*no"):
        Settings.from_env({"ONSALE_HTTP_FAST_PATH": "fast"})
