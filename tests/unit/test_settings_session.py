"""Settings for login sessions: keys are required in production, and a wrong one is never shown."""

import base64

import pytest

from domain.identity.revocations import REVOCATION_LASTS_S
from settings import Settings, SettingsError
from settings.session import MAX_LIFETIME_S

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(range(32, 64))).decode()


def test_several_keys_are_read_in_order() -> None:
    settings = Settings.from_env({"ONSALE_SESSION_KEYS": f"{KEY}  {OTHER}"})
    assert settings.session.keys == (KEY, OTHER)
    assert KEY not in repr(settings)


@pytest.mark.parametrize(
    "wrong",
    ["short", base64.b64encode(b"k" * 16).decode(), KEY[:-1], f"{KEY}!", "é", base64.b64encode(b"k" * 32).decode()],
)
def test_refusal_of_a_wrong_key_names_its_number(wrong: str) -> None:
    with pytest.raises(SettingsError, match="ONSALE_SESSION_KEYS: key 2 is not 32 random bytes in base64") as caught:
        Settings.from_env({"ONSALE_SESSION_KEYS": f"{KEY} {wrong}"})
    assert wrong not in str(caught.value)


def test_production_requires_keys() -> None:
    with pytest.raises(SettingsError, match="ONSALE_SESSION_KEYS is missing; production requires it"):
        Settings.from_env({"ONSALE_ENV": "production"})


@pytest.mark.parametrize(("url", "is_refused"), [("http://tickets.example", True), ("https://tickets.example", False)])
def test_production_requires_https(url: str, is_refused: bool) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({"ONSALE_ENV": "production", "ONSALE_PUBLIC_URL": url})
    assert (f"ONSALE_PUBLIC_URL is {url!r}; production requires https" in str(caught.value)) == is_refused


def test_session_ends_before_its_revocation_is_forgotten() -> None:
    assert MAX_LIFETIME_S < REVOCATION_LASTS_S
    with pytest.raises(SettingsError, match="ONSALE_SESSION_LIFETIME_S is '82801'"):
        Settings.from_env({"ONSALE_SESSION_LIFETIME_S": "82801"})
