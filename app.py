"""Builds the application. `create_app(settings)` returns the ASGI application.

Any number of processes can share the stores. `python app.py` runs all of Onsale on one machine: an
embedded store for each URL that is not set, the application, and the workers.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from auth.login import login_routes
from auth.passes import jwks_routes
from auth.revocation import backchannel_logout
from mail.opening import make_mailer
from payments.embedded_sandbox import find_embedded_sandbox, run_embedded_sandbox
from payments.opening import open_payments
from resolvers.context import Resources
from resolvers.demo import load_demo
from schema import Engine
from settings import PaymentSettings, Settings, SettingsError
from storage.connect import Stores
from storage.embedded.process import ServerStartError
from storage.embedded.supervisor import lock_data_dir, run_stores
from telemetry.loop_lag import measure_loop_lag
from tickets.concert_keys import ConcertKeys
from tickets.documents.library import open_library
from web import health, home, logs, payment_webhooks
from web.configuration.app_state import AppState, open_app_state
from web.configuration.engine import make_engine
from web.configuration.keys import make_pass_signer, make_ticket_keys
from web.configuration.payment import make_checkout
from web.configuration.sign_in import make_issuer_routes
from web.configuration.stores import open_configured_stores
from web.configuration.traces import open_traces
from web.development import mailbox_page
from web.graphql_service import GraphQLService
from web.images import media, uploads
from web.middleware import DirectRoute, RequestMiddleware, compress
from web.monitoring.metrics import metrics_routes, open_metrics_listener, serve_metrics
from web.organizers import order_exports
from web.pages.files import file_routes
from web.pages.shop import ShopPages
from web.proxies import ProxyMiddleware
from web.server import Server, configure_gc, make_config, open_listener, run_program
from web.tickets import downloads, gate_files
from workers.documents.mailed_files import AttachedDocuments
from workers.effects.handlers import open_effect_handlers
from workers.runner import run_workers


def __getattr__(name: str) -> Starlette:
    """Return the application for `uvicorn app:app`.

    It is created on access, so importing this module neither reads environment variables nor writes
    a key file.
    """
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return create_app(Settings.from_env(os.environ))
    except SettingsError as error:
        # Uvicorn would show any other error with its traceback.
        raise SystemExit(f"Onsale cannot start: {error}") from None


def create_app(settings: Settings, *, stores: Stores | None = None, engine: Engine | None = None) -> Starlette:
    """Return the ASGI application. Raises SettingsError.

    The caller owns `stores`. If it is None, the application opens its own stores. If `engine` is
    None, the application builds its own.
    """
    engine = engine or make_engine(settings)
    checkout = make_checkout(settings.payment)
    shop = ShopPages(settings, checkout)
    return Starlette(
        routes=[
            *health.routes,
            *jwks_routes,
            Route("/graphql", _GraphQL()),
            WebSocketRoute("/graphql", _GraphQL()),
            *(metrics_routes(settings.metrics_from) if settings.shows_metrics_on_main_port else ()),
            *file_routes(settings, checkout),
            *backchannel_logout.routes,
            *payment_webhooks.routes,
            *gate_files.routes,
            *downloads.routes,
            *uploads.routes,
            *media.routes,
            *order_exports.routes,
            *mailbox_page.routes(settings),
            *login_routes(lambda request: request.state.login),
            *make_issuer_routes(settings),
            *shop.routes(),
        ],
        exception_handlers={404: shop.respond_to_error},
        middleware=[
            Middleware(ProxyMiddleware, settings.trusted_proxies),
            Middleware(RequestMiddleware),
            Middleware(DirectRoute, "/graphql", _GraphQL()),
            Middleware(compress),
        ],
        lifespan=lambda _: _lifespan(settings, stores, engine),
    )


@asynccontextmanager
async def _lifespan(settings: Settings, given: Stores | None, engine: Engine) -> AsyncIterator[AppState]:
    logs.configure(settings.log_format)
    configure_gc()
    if settings.redis_url is None or settings.mongo_url is None:
        raise SettingsError("ONSALE_REDIS_URL and ONSALE_MONGO_URL are required; `make run` starts its own stores")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(open_traces(settings))
        stores = given
        if stores is None:
            metrics_listener = stack.enter_context(open_metrics_listener(settings))
            opening = open_configured_stores(settings, settings.redis_url, settings.mongo_url)
            stores = await stack.enter_async_context(opening)
            await stack.enter_async_context(serve_metrics(metrics_listener, settings, stores))
        stack.enter_context(measure_loop_lag())
        yield await stack.enter_async_context(open_app_state(settings, stores, engine, settings.redis_url))
    logs.flush()


class _GraphQL:
    """The ASGI endpoint of the GraphQL service.

    It is a class because Starlette would treat a function as a request handler.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service: GraphQLService = scope["state"]["graphql_service"]
        await (service.http if scope["type"] == "http" else service.socket)(scope, receive, send)


async def run(settings: Settings) -> None:
    """Run everything on one machine until canceled.

    The application and the workers share one set of stores. Resources are closed in reverse order
    of opening.
    """
    logs.configure(settings.log_format)
    engine = make_engine(settings)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(open_traces(settings))
        owns_data = settings.redis_url is None or settings.mongo_url is None
        if owns_data:
            stack.enter_context(lock_data_dir(settings.data_dir, app_port=settings.port))
            _write(home.starting(settings))
        listener = stack.enter_context(open_listener(settings.host, settings.port, setting="ONSALE_PORT"))
        metrics_listener = stack.enter_context(open_metrics_listener(settings))
        urls = await stack.enter_async_context(
            run_stores(settings.data_dir, redis_url=settings.redis_url, mongo_url=settings.mongo_url)
        )
        settings = replace(settings, redis_url=urls.redis, mongo_url=urls.mongo)
        stores = await stack.enter_async_context(open_configured_stores(settings, urls.redis, urls.mongo))
        await stack.enter_async_context(serve_metrics(metrics_listener, settings, stores))
        if settings.loads_demo:
            await load_demo(Resources(stores, make_pass_signer(settings)).context(None, "demo"))
        payment = await stack.enter_async_context(_open_sandbox(settings, owns_data=owns_data))
        settings = replace(settings, payment=payment)
        work = await stack.enter_async_context(_open_workers(settings, stores, urls.redis))
        async with asyncio.TaskGroup() as group:
            workers = group.create_task(work)
            await _serve(_Server(settings, stores, engine), listener, drain_s=settings.drains_for_s)
            workers.cancel()


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


@asynccontextmanager
async def _open_workers(settings: Settings, stores: Stores, redis_url: str) -> AsyncIterator[Coroutine[Any, Any, None]]:
    """Open what the workers need, and yield their endless work. Raises SettingsError."""
    codes = ConcertKeys(make_ticket_keys(settings), stores.ticket_keys)
    async with (
        open_payments(settings.payment, stores) as payments,
        open_library(codes, stores.ticket_documents, settings.font_dirs) as library,
        open_effect_handlers(library) as handlers,
    ):
        mailer = make_mailer(settings, AttachedDocuments(library))
        yield run_workers(
            stores, redis_url, payments=payments, effect_handlers=handlers, mailer=mailer, fonts=library.fonts
        )


async def _serve(server: Server, listener: socket.socket, *, drain_s: int) -> None:
    """Serve until canceled. Then be not ready for `drain_s` seconds, and stop. Another cancellation
    ends the wait.
    """
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.announce_departure()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([serving], timeout=drain_s)
        server.should_exit = True
        await serving
        raise


class _Server(Server):
    def __init__(self, settings: Settings, stores: Stores, engine: Engine) -> None:
        super().__init__(make_config(create_app(settings, stores=stores, engine=engine)))
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _write(home.banner(self._settings))


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


async def _run_until_signaled(settings: Settings) -> None:
    loop, running = asyncio.get_running_loop(), asyncio.ensure_future(run(settings))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running


def main() -> None:
    try:
        settings = Settings.from_env(os.environ)
        run_program(_run_until_signaled(settings))
    except (SettingsError, ServerStartError) as error:
        sys.exit(f"Onsale cannot start: {error}")


if __name__ == "__main__":
    main()
