"""Opens the payments of a process, and closes the connections to the provider at the end."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from payments.provider import PaymentProvider
from payments.providers import open_provider
from payments.saga.order_payments import OrderPayments
from payments.sandbox.defaults import SECRET_KEY, WEBHOOK_SECRET
from payments.unreachable import UnreachableProvider
from settings import PaymentSettings
from storage.connect import Stores

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_payments(settings: PaymentSettings, stores: Stores) -> AsyncIterator[OrderPayments]:
    """Yield the payments of this process. The stores belong to the caller.

    Raises SettingsError.
    """
    provider = _open(settings)
    try:
        yield OrderPayments(stores, provider)
    finally:
        await provider.aclose()


def _open(settings: PaymentSettings) -> PaymentProvider:
    if settings.provider == "sandbox":
        settings = replace(
            settings,
            secret_key=settings.secret_key or SECRET_KEY,
            webhook_secrets=settings.webhook_secrets or (WEBHOOK_SECRET,),
        )
    if settings.provider == "sandbox" and settings.url is None:
        log.warning(
            "no payment sandbox is running, so only free orders can be completed; run `python "
            "app.py`,"
            " or set ONSALE_PAYMENT_URL to the address of a sandbox"
        )
        return UnreachableProvider()
    return open_provider(settings)
