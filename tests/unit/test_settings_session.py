"""Settings of login sessions: keys are required in production, and a wrong one is never shown."""

import base64

import pytest

from settings import Settings, SettingsError

KEY = base64.b64encode(b"k" * 32).decode()
OTHER = base64.b64encode(b"o" * 32).decode()


def test_several_keys_are_read_in_order() -> None:
    settings = Settings.from_env({"ONSALE_SESSION_KEYS": f"{KEY}  {OTHER}"})
    assert settings.session.keys == (KEY, OTHER)
    assert KEY not in repr(settings)


@pytest.mark.parametrize("wrong", ["short", base64.b64encode(b"k" * 16).decode(), KEY[:-1], f"{KEY}!", "é"])
def test_wrong_key_is_refused_by_its_number(wrong: str) -> None:
    with pytest.raises(SettingsError, match="ONSALE_SESSION_KEYS: key 2 is not 32 bytes in base64") as caught:
        Settings.from_env({"ONSALE_SESSION_KEYS": f"{KEY} {wrong}"})
    assert wrong not in str(caught.value)


def test_production_requires_keys() -> None:
    with pytest.raises(SettingsError, match="ONSALE_SESSION_KEYS is missing; production requires it"):
        Settings.from_env({"ONSALE_ENV": "production"})
