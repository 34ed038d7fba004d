"""Opens the payment provider that the settings name."""

from payments.provider import PaymentProvider
from payments.stripe.client import StripeClient
from payments.stripe.provider import StripeProvider
from payments.stripe.signatures import WebhookVerifier
from settings import PaymentSettings, SettingsError


def open_provider(settings: PaymentSettings) -> PaymentProvider:
    """Return the provider, without connecting to it. The caller closes it.

    Raises SettingsError if the settings are not sufficient.
    """
    if settings.provider == "sandbox" and settings.url is None:
        raise SettingsError(
            "ONSALE_PAYMENT_URL is missing; set it to the address of a sandbox, such as the one that"
            " `python app.py` runs, or set ONSALE_PAYMENT_PROVIDER to stripe"
        )
    client = StripeClient(settings.secret_key, url=settings.url, timeout_s=settings.timeout_s, name=settings.provider)
    return StripeProvider(client, WebhookVerifier(settings.webhook_secrets), name=settings.provider)
