"""Opens all that the processes of one machine share: the port, the stores, the demo data and the
sandbox.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from socket import socket

from payments.embedded_sandbox import find_embedded_sandbox, run_embedded_sandbox
from resolvers.context import Resources
from resolvers.demo import load_demo
from settings import PaymentSettings, Settings
from storage.connect import Stores
from storage.embedded.supervisor import lock_data_dir, run_stores
from web import home
from web.configuration.keys import make_pass_signer, make_ticket_keys
from web.configuration.stores import open_configured_stores
from web.monitoring.metrics import open_metrics_listener
from web.processes.terminal import write
from web.server import open_listener


@dataclass(frozen=True, slots=True)
class Machine:
    settings: Settings
    """The settings, completed with the addresses of the embedded stores and the sandbox."""
    redis_url: str
    mongo_url: str
    listener: socket
    metrics_listener: socket | None
    stores: Stores


@asynccontextmanager
async def open_machine(settings: Settings) -> AsyncIterator[Machine]:
    """Open everything during the block. Raises SettingsError or ServerStartError.

    Resources are closed in reverse order of opening.
    """
    async with AsyncExitStack() as stack:
        owns_data = settings.redis_url is None or settings.mongo_url is None
        if owns_data:
            stack.enter_context(lock_data_dir(settings.data_dir, app_port=settings.port))
            write(home.starting(settings))
        # A wrong key is reported before anything is started, and the keys of development are made.
        passes, _ = make_pass_signer(settings), make_ticket_keys(settings)
        listener = stack.enter_context(open_listener(settings.host, settings.port, setting="ONSALE_PORT"))
        metrics_listener = stack.enter_context(open_metrics_listener(settings))
        urls = await stack.enter_async_context(
            run_stores(settings.data_dir, redis_url=settings.redis_url, mongo_url=settings.mongo_url)
        )
        settings = replace(settings, redis_url=urls.redis, mongo_url=urls.mongo)
        stores = await stack.enter_async_context(open_configured_stores(settings, urls.redis, urls.mongo))
        if settings.loads_demo:
            await load_demo(Resources(stores, passes).context(None, "demo"))
        payment = await stack.enter_async_context(_open_sandbox(settings, owns_data=owns_data))
        settings = replace(settings, payment=payment)
        yield Machine(settings, urls.redis, urls.mongo, listener, metrics_listener, stores)


@asynccontextmanager
async def _open_sandbox(settings: Settings, *, owns_data: bool) -> AsyncIterator[PaymentSettings]:
    """Run the payment sandbox beside embedded stores, or find one that runs already. Yields the
    settings with its address.
    """
    if not owns_data:
        yield find_embedded_sandbox(settings.payment, settings.data_dir)
        return
    running = run_embedded_sandbox(settings.payment, settings.data_dir, app_host=settings.host, app_port=settings.port)
    async with running as payment:
        yield payment
