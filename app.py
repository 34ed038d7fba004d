"""Builds the application. `create_app(settings)` returns the ASGI application.

Any number of processes can share the stores. `python app.py` runs all of Onsale on one machine: an
embedded store for each URL that is not set, the application, and the workers.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from socket import socket
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from uvicorn.config import STARTUP_FAILURE

from auth.login import login_routes
from auth.passes import jwks_routes
from auth.revocation import backchannel_logout
from mail.opening import make_mailer
from payments.opening import open_payments
from schema import Engine
from settings import Settings, SettingsError
from storage.connect import Stores
from storage.embedded.process import ServerStartError
from telemetry.loop_lag import measure_loop_lag
from tickets.concert_keys import ConcertKeys
from tickets.documents.library import open_library
from web import health, logs, payment_webhooks
from web.configuration.app_state import AppState, open_app_state
from web.configuration.engine import make_engine
from web.configuration.keys import make_ticket_keys
from web.configuration.payment import make_checkout
from web.configuration.sign_in import make_issuer_routes
from web.configuration.stores import open_configured_stores
from web.development import mailbox_page
from web.graphql_service import GraphQLService
from web.images import media, uploads
from web.middleware import DirectRoute, RequestMiddleware, compress
from web.monitoring.metrics import metrics_routes, open_unit_metrics_listener, serve_metrics
from web.open_files import raise_open_file_limit
from web.organizers import order_exports
from web.pages.files import file_routes
from web.pages.shop import ShopPages
from web.processes.machine import open_machine
from web.processes.server_process import complete_settings, serve_supervised
from web.processes.serving import serve_until_canceled
from web.processes.supervised import OPTION, SERVER, Inheritance, supervised, work_supervised
from web.processes.supervisor import run_processes
from web.proxies import ProxyMiddleware
from web.server import Server, configure_gc, make_config, run_program
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
        settings = Settings.from_env(os.environ)
        return create_app(settings, metrics_listener=open_unit_metrics_listener(settings))
    except SettingsError as error:
        # Uvicorn would show any other error with its traceback, and `--workers` would start a
        # process that ends with another status again and again.
        sys.stderr.write(f"Onsale cannot start: {error}\n")
        sys.exit(STARTUP_FAILURE)


def create_app(
    settings: Settings,
    *,
    stores: Stores | None = None,
    engine: Engine | None = None,
    metrics_listener: socket | None = None,
) -> Starlette:
    """Return the ASGI application. Raises SettingsError.

    The caller owns `stores`. If it is None, the application opens its own stores, and serves its
    metrics on `metrics_listener`, which it then owns. If `engine` is None, the application builds
    its own.
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
        lifespan=lambda _: _lifespan(settings, stores, engine, metrics_listener),
    )


@asynccontextmanager
async def _lifespan(
    settings: Settings, given: Stores | None, engine: Engine, metrics_listener: socket | None
) -> AsyncIterator[AppState]:
    logs.configure(settings.log_format)
    configure_gc()
    raise_open_file_limit()
    if settings.redis_url is None or settings.mongo_url is None:
        raise SettingsError("ONSALE_REDIS_URL and ONSALE_MONGO_URL are required; `make run` starts its own stores")
    async with AsyncExitStack() as stack:
        stores = given
        if stores is None:
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
    """Run everything on one machine in this process, until canceled.

    The application and the workers share one set of stores.
    """
    logs.configure(settings.log_format)
    engine = make_engine(settings)
    async with AsyncExitStack() as stack:
        machine = await stack.enter_async_context(open_machine(settings))
        settings, stores = machine.settings, machine.stores
        await stack.enter_async_context(serve_metrics(machine.metrics_listener, settings, stores))
        work = await stack.enter_async_context(_open_workers(settings, stores, machine.redis_url))
        async with asyncio.TaskGroup() as group:
            workers = group.create_task(work)
            server = Server(make_config(create_app(settings, stores=stores, engine=engine)))
            await serve_until_canceled(server, machine.listener, settings)
            workers.cancel()


async def _run_child(settings: Settings, inheritance: Inheritance) -> None:
    """Run a process that a supervisor has started."""
    logs.configure(settings.log_format)
    settings = complete_settings(settings)
    redis_url, mongo_url = settings.redis_url, settings.mongo_url
    if redis_url is None or mongo_url is None:
        raise SettingsError("a child process needs ONSALE_REDIS_URL and ONSALE_MONGO_URL")
    async with (
        supervised(inheritance) as supervisor,
        open_configured_stores(settings, redis_url, mongo_url) as stores,
    ):
        if inheritance.kind == SERVER:
            await serve_supervised(create_app(settings, stores=stores), settings, inheritance, supervisor)
        else:
            async with _open_workers(settings, stores, redis_url) as work:
                await work_supervised(work, supervisor)


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


async def _run_until_signaled(program: Coroutine[Any, Any, None]) -> None:
    loop, running = asyncio.get_running_loop(), asyncio.ensure_future(program)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running


def _choose_program(settings: Settings, arguments: Sequence[str]) -> Coroutine[Any, Any, None]:
    match arguments:
        case [option, inheritance] if option == OPTION:
            return _run_child(settings, Inheritance.parse(inheritance))
        case _ if settings.processes > 1:
            return _run_until_signaled(run_processes(settings, Path(__file__)))
        case _:
            return _run_until_signaled(run(settings))


def main() -> None:
    try:
        settings = Settings.from_env(os.environ)
        run_program(_choose_program(settings, sys.argv[1:]))
    except (SettingsError, ServerStartError) as error:
        sys.exit(f"Onsale cannot start: {error}")


if __name__ == "__main__":
    main()
