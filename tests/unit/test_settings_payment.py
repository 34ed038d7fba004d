"""The settings of the payment provider."""

import pytest

from settings import PaymentSettings, Settings, SettingsError
from settings.payment import REQUIRED

PAYMENT = {
    "PROVIDER": "stripe",
    "SECRET_KEY": "sk_test_kW9sQpT2xRz7LmB4",
    "PUBLISHABLE_KEY": "pk_test_kW9sQpT2xRz7LmB4",
    "WEBHOOK_SECRETS": "whsec_kW9sQpT2xRz7LmB4vYc8 whsec_NfJ1hDg6EaU3kW9sQpT2",
}
LIVE = {name: value.replace("_test_", "_live_") for name, value in PAYMENT.items()}


def payment(**values: str) -> PaymentSettings:
    return Settings.from_env({f"ONSALE_PAYMENT_{name}": value for name, value in values.items()}).payment


def problems(values: dict[str, str], *, env: str = "development") -> list[str]:
    """Return the problems of the payment settings, without the name of the group."""
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({"ONSALE_ENV": env} | {f"ONSALE_PAYMENT_{name}": value for name, value in values.items()})
    lines = str(refused.value).split("\n")
    return [line.removeprefix("ONSALE_PAYMENT_") for line in lines if line.startswith("ONSALE_PAYMENT_")]


def test_sandbox_needs_no_settings() -> None:
    assert payment() == PaymentSettings(
        provider="sandbox",
        secret_key="sk_test_sandbox",
        publishable_key="pk_test_sandbox",
        webhook_secrets=("whsec_sandbox",),
        timeout_s=20,
    )


def test_stripe_settings_are_read() -> None:
    found = payment(**PAYMENT, URL="https://proxy.example/", TIMEOUT_S="30")
    assert found == PaymentSettings(
        provider="stripe",
        secret_key=PAYMENT["SECRET_KEY"],
        publishable_key=PAYMENT["PUBLISHABLE_KEY"],
        webhook_secrets=("whsec_kW9sQpT2xRz7LmB4vYc8", "whsec_NfJ1hDg6EaU3kW9sQpT2"),
        url="https://proxy.example",
        timeout_s=30,
    )


def test_secrets_are_not_in_the_repr() -> None:
    shown = repr(payment(**PAYMENT))
    assert "sk_test" not in shown
    assert "whsec" not in shown


def test_restricted_key_is_accepted() -> None:
    assert payment(**PAYMENT | {"SECRET_KEY": "rk_test_kW9s"}).secret_key == "rk_test_kW9s"


def test_stripe_requires_its_keys_in_development_too() -> None:
    assert problems({"PROVIDER": "stripe"}) == [
        f"{name.removeprefix('PAYMENT_')} is missing; Stripe requires it" for name in REQUIRED
    ]


def test_production_requires_a_provider_and_its_keys() -> None:
    assert problems({}, env="production") == [
        "PROVIDER is missing; production requires a real one: set it to stripe",
        "SECRET_KEY is missing; production requires it",
        "PUBLISHABLE_KEY is missing; production requires it",
        "WEBHOOK_SECRETS is missing; production requires it",
    ]


def test_production_refuses_the_sandbox() -> None:
    assert problems(LIVE | {"PROVIDER": "sandbox"}, env="production") == [
        "PROVIDER is 'sandbox', which moves no money; in production, set it to stripe"
    ]


def test_production_refuses_test_keys() -> None:
    assert problems(PAYMENT, env="production") == [
        "SECRET_KEY is a test key, and production takes real payments; set the one that begins with sk_live_",
        "PUBLISHABLE_KEY is a test key, and production takes real payments; set the one that begins with pk_live_",
    ]


def test_production_accepts_live_keys() -> None:
    assert problems(LIVE, env="production") == []


def test_production_requires_an_encrypted_address() -> None:
    assert problems(LIVE | {"URL": "http://proxy.example"}, env="production") == [
        "URL is 'http://proxy.example'; production requires https, because the secret key is sent there"
    ]


def test_development_refuses_live_keys() -> None:
    assert problems(LIVE) == [
        "SECRET_KEY is a live key, and it would charge real cards in development; "
        "set the one that begins with sk_test_",
        "PUBLISHABLE_KEY is a live key, and it would charge real cards in development; "
        "set the one that begins with pk_test_",
    ]


@pytest.mark.parametrize("name", ["SECRET_KEY", "PUBLISHABLE_KEY"])
def test_refusal_of_a_malformed_key_does_not_quote_it(name: str) -> None:
    (found,) = problems(PAYMENT | {name: "hunter2-hunter2"})
    assert found.startswith(f"{name} is not a valid key; copy the one that begins with {name[0].lower()}k_test_")
    assert "hunter2" not in found


@pytest.mark.parametrize("secret", ["we_1MtwBwLkdIwHu7ixkW9sQpT2", "whsec_", "whsec_sandbox"])
def test_refusal_of_a_webhook_secret_names_its_number(secret: str) -> None:
    assert problems(PAYMENT | {"WEBHOOK_SECRETS": f"whsec_kW9sQpT2xRz7LmB4vYc8 {secret}"}) == [
        "WEBHOOK_SECRETS: secret 2 does not look like a signing secret; copy the signing secret of "
        "the endpoint, "
        "which begins with whsec_"
    ]


def test_unknown_provider_is_refused() -> None:
    assert problems({"PROVIDER": "paypal"}) == ["PROVIDER is 'paypal'; it must be one of sandbox, stripe"]
