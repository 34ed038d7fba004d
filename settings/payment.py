"""Settings for the payment provider (`ONSALE_PAYMENT_*`)."""

import re
from dataclasses import dataclass, field

from settings.reader import SettingsReader

PROVIDERS = ("sandbox", "stripe")
REQUIRED = ("PAYMENT_SECRET_KEY", "PAYMENT_PUBLISHABLE_KEY", "PAYMENT_WEBHOOK_SECRETS")
"""The settings that Stripe requires."""
SANDBOX_SECRET_KEY, SANDBOX_PUBLISHABLE_KEY = "sk_test_sandbox", "pk_test_sandbox"
SANDBOX_WEBHOOK_SECRET = "whsec_sandbox"
"""The keys and the webhook secret of every sandbox. They protect nothing, because a sandbox moves
no money.
"""

_SECRET_KEY = re.compile(r"[rs]k_(?P<mode>live|test)_[A-Za-z0-9_]+", re.ASCII)
"""A secret key, or a restricted one."""
_PUBLISHABLE_KEY = re.compile(r"pk_(?P<mode>live|test)_[A-Za-z0-9_]+", re.ASCII)
_WEBHOOK_SECRET = re.compile(r"whsec_[A-Za-z0-9_+/=-]{16,}", re.ASCII)
"""Stripe's secrets have 32 more characters. The sandbox's secret is public and too short to match.
"""


@dataclass(frozen=True, slots=True)
class PaymentSettings:
    provider: str = "sandbox"
    """`sandbox` takes test cards only and moves no money; production refuses it."""
    secret_key: str = field(default=SANDBOX_SECRET_KEY, repr=False)
    """The key of the server."""
    publishable_key: str = SANDBOX_PUBLISHABLE_KEY
    """The key that browsers use."""
    webhook_secrets: tuple[str, ...] = field(default=(SANDBOX_WEBHOOK_SECRET,), repr=False)
    """The secrets that sign webhooks. Any of them is accepted, so that a secret can be replaced."""
    url: str | None = None
    """The provider's address, if it is not the usual one."""
    timeout_s: int = 20
    """How long one call may take, including its repetitions. Stripe answers most within two
    seconds.
    """

    @classmethod
    def read(cls, reader: SettingsReader) -> "PaymentSettings":
        default = cls()
        settings = cls(
            provider=reader.choice("PAYMENT_PROVIDER", PROVIDERS, default.provider),
            secret_key=reader.text("PAYMENT_SECRET_KEY", default.secret_key),
            publishable_key=reader.text("PAYMENT_PUBLISHABLE_KEY", default.publishable_key),
            webhook_secrets=reader.words("PAYMENT_WEBHOOK_SECRETS", default.webhook_secrets),
            url=reader.origin("PAYMENT_URL"),
            timeout_s=reader.number("PAYMENT_TIMEOUT_S", default.timeout_s, highest=80),
        )
        is_production = reader.optional("ENV") == "production"
        mode = "live" if is_production else "test"
        _check_key(reader, "PAYMENT_SECRET_KEY", _SECRET_KEY, mode=mode)
        _check_key(reader, "PAYMENT_PUBLISHABLE_KEY", _PUBLISHABLE_KEY, mode=mode)
        if settings.provider == "stripe" and reader.optional("PAYMENT_WEBHOOK_SECRETS"):
            _check_webhook_secrets(reader, settings.webhook_secrets)
        if is_production:
            _check_production(reader, settings)
        elif settings.provider == "stripe":
            _require_for_stripe(reader)
        return settings


def _check_key(reader: SettingsReader, name: str, form: re.Pattern[str], *, mode: str) -> None:
    """Report a key that is malformed or belongs to the other mode, without quoting the key."""
    key = reader.optional(name)
    if key is None:
        return
    found = form.fullmatch(key)
    example = form.pattern.partition("(")[0].replace("[rs]", "s")
    if found is None:
        reader.report(f"ONSALE_{name} is not a valid key; copy the one that begins with {example}{mode}_")
    elif found["mode"] != mode:
        why = "production takes real payments" if mode == "live" else "it would charge real cards in development"
        reader.report(
            f"ONSALE_{name} is a {found['mode']} key, and {why}; set the one that begins with {example}{mode}_"
        )


def _check_webhook_secrets(reader: SettingsReader, webhook_secrets: tuple[str, ...]) -> None:
    for number, secret in enumerate(webhook_secrets, 1):
        if not _WEBHOOK_SECRET.fullmatch(secret):
            reader.report(
                f"ONSALE_PAYMENT_WEBHOOK_SECRETS: secret {number} does not look like a signing "
                "secret; copy the signing secret of the endpoint, which begins with whsec_"
            )


def _check_production(reader: SettingsReader, settings: PaymentSettings) -> None:
    if reader.optional("PAYMENT_PROVIDER") is None:
        reader.report("ONSALE_PAYMENT_PROVIDER is missing; production requires a real one: set it to stripe")
    elif settings.provider == "sandbox":
        reader.report("ONSALE_PAYMENT_PROVIDER is 'sandbox', which moves no money; in production, set it to stripe")
    reader.require(*REQUIRED)
    reader.require_https("PAYMENT_URL", settings.url, why="because the secret key is sent there")


def _require_for_stripe(reader: SettingsReader) -> None:
    for name in REQUIRED:
        if not reader.optional(name):
            reader.report(f"ONSALE_{name} is missing; Stripe requires it")
