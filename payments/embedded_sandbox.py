"""Completes the payment settings with the sandbox that `python app.py` runs beside its stores."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from payments.sandbox.defaults import SECRET_KEY, WEBHOOK_SECRET
from payments.sandbox.process import find_sandbox, run_sandbox
from settings import PaymentSettings

FOLDER = "sandbox"
"""The folder of the sandbox in the data directory."""
LOOK_EVERY_S = 1.0
# A server that listens on all addresses is reached at the loopback address.
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}  # noqa: S104 - nothing is bound


@asynccontextmanager
async def run_embedded_sandbox(
    settings: PaymentSettings, data_dir: Path, *, app_host: str, app_port: int
) -> AsyncIterator[PaymentSettings]:
    """Run a sandbox unless the settings give the address of one, and yield the completed settings.

    The caller must own the data directory (`lock_data_dir`). Raises ServerStartError.
    """
    if not _lacks_sandbox(settings):
        yield settings
        return
    completed = _with_secrets(settings)
    webhook = f"http://{_LOOPBACK.get(app_host, app_host)}:{app_port}/webhooks/payments"
    async with run_sandbox(data_dir / FOLDER, webhook=webhook, secret=completed.webhook_secrets[0]) as url:
        yield replace(completed, url=url)


def find_embedded_sandbox(settings: PaymentSettings, data_dir: Path) -> PaymentSettings:
    """Return the settings, completed with the sandbox that another process runs, if any."""
    if not _lacks_sandbox(settings):
        return settings
    return replace(_with_secrets(settings), url=find_sandbox(data_dir / FOLDER))


async def wait_for_sandbox(settings: PaymentSettings, data_dir: Path) -> PaymentSettings:
    """Return the settings, completed as soon as another process runs a sandbox."""
    while True:
        found = find_embedded_sandbox(settings, data_dir)
        if not _lacks_sandbox(found):
            return found
        await asyncio.sleep(LOOK_EVERY_S)


def _lacks_sandbox(settings: PaymentSettings) -> bool:
    return settings.provider == "sandbox" and settings.url is None


def _with_secrets(settings: PaymentSettings) -> PaymentSettings:
    return replace(
        settings,
        secret_key=SECRET_KEY,
        webhook_secrets=settings.webhook_secrets or (WEBHOOK_SECRET,),
    )
