"""Origins that no browser sends are refused at startup, in one error that lists all problems."""

import pytest

from settings import Settings, SettingsError


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example.org",
        "http://localhost:5173",
        "HTTPS://Shop.Example:8443",
        "http://[::1]:3000",
        "capacitor://localhost",
        "chrome-extension://abcdefghijklmnop",
        "https://xn--bcher-kva.example",
    ],
)
def test_origin_that_browsers_send_is_accepted(origin: str) -> None:
    assert Settings.from_env({"ONSALE_ALLOWED_ORIGINS": f" {origin}  https://b.example "}).allowed_origins == (
        origin,
        "https://b.example",
    )


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example.org/",
        "https://shop.example.org/checkout",
        "https://shop.example.org?x=1",
        "https://shop.example.org#top",
        "https://anna@shop.example.org",
        "https://a.example,https://b.example",
        "https://*.example.org",
        "https://bücher.example",
        "https://shop.example.org:",
        "shop.example.org",
        "https://",
        "null",
        "*",
    ],
)
def test_origin_that_no_browser_sends_is_refused_at_startup(origin: str) -> None:
    with pytest.raises(SettingsError, match="ONSALE_ALLOWED_ORIGINS contains") as refused:
        Settings.from_env({"ONSALE_ALLOWED_ORIGINS": f"https://good.example {origin}", "ONSALE_PORT": "x"})
    assert repr(origin) in str(refused.value)
    assert "good.example" not in str(refused.value)
    assert "ONSALE_PORT" in str(refused.value)
