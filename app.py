"""Builds the application. `create_app(settings)` returns the ASGI application.

Any number of processes can share the stores. `python app.py` runs all of Onsale on one machine: an
embedded store for each URL that is not set, the application, and the workers.
"""

import asyncio
import contextlib
import errno
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TypedDict

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from auth.callers import Callers
from auth.dev_issuer.routes import issuer_routes
from auth.issuer_http import IssuerHttp
from auth.login import Login, login_routes
from auth.login_limit import LoginLimit
from auth.passes import PassSigner, jwks_routes
from auth.public_site import site_of
from auth.revocation import backchannel_logout
from auth.revocation.backchannel_logout import BackchannelLogout
from auth.revocation.revocations import Revocations
from auth.revocation.session_ends import SessionEnds, open_session_ends
from auth.sessions.cipher import SessionCipher, decode_keys, keys_from_file
from auth.sessions.oidc_client import OidcClient
from auth.sessions.sessions import Sessions
from auth.tokens import TokenVerifier
from domain.limits.rates import Rate
from mail.opening import make_mailer
from payments.embedded_sandbox import find_embedded_sandbox, run_embedded_sandbox
from payments.opening import open_payments
from resolvers.call_limits import CallLimits
from resolvers.context import Resources
from resolvers.demo import load_demo
from resolvers.tickets.transfer_mails import QueuedTransferMails
from schema import Engine
from settings import Settings, SettingsError
from storage.connect import Stores, open_stores
from storage.embedded.process import ServerStartError
from storage.embedded.supervisor import lock_data_dir, run_stores
from storage.keys import REVOCATIONS_CHANNEL
from subscriptions.publishing.push_intervals import PushIntervals
from tickets.concert_keys import ConcertKeys
from tickets.documents.library import open_library
from tickets.documents.links import DownloadLinks
from web import health, home, logs, payment_webhooks
from web.configuration.engine import make_engine
from web.configuration.keys import make_pass_signer, make_ticket_keys
from web.configuration.limits import make_rate_limits, make_socket_limits
from web.configuration.payment import make_checkout
from web.development import mailbox_page
from web.event_streams import EventStreams
from web.fast_path.answers import FastPath
from web.graphql_service import GraphQLService, open_graphql_service
from web.images import media, uploads
from web.metrics import metrics_routes
from web.middleware import DirectRoute, RequestMiddleware, compress
from web.organizers import order_exports
from web.pages.files import DIST, file_routes
from web.pages.first_answers import FirstAnswers
from web.pages.graphiql import GraphiqlPage
from web.pages.shop import ShopPages
from web.payment_webhooks import PaymentWebhooks
from web.proxies import ProxyMiddleware
from web.server import BACKLOG, Server, configure_gc, make_config, run_program
from web.tickets import downloads, gate_files
from workers.documents.mailed_files import AttachedDocuments
from workers.effects.handlers import open_effect_handlers
from workers.runner import run_workers


class AppState(TypedDict):
    """Objects that the lifespan creates; requests find them in `scope["state"]`."""

    stores: Stores
    passes: PassSigner
    graphql_service: GraphQLService
    fast_path: FastPath | None
    """None if the setting turns it off; web/fast_path/protocol.py reads this."""
    login: Login
    event_streams: EventStreams
    """The event streams of the GraphQL service; the server ends them when it stops."""
    revocations: Revocations
    backchannel_logout: BackchannelLogout
    payment_webhooks: PaymentWebhooks
    gate_files: gate_files.GateFiles
    ticket_downloads: downloads.TicketDownloads
    first_answers: FirstAnswers
    image_uploads: uploads.ImageUploads
    media_files: media.MediaFiles
    order_exports: order_exports.OrderExports
    issuer: health.IssuerStatus | None
    """None if this process is its own issuer."""


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
            *metrics_routes(settings.metrics_from),
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
            *_issuer_routes(settings),
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
    http = IssuerHttp(settings.issuer, settings.oidc.internal_url, settings.oidc.ca_file)
    client = OidcClient(settings.oidc, http)
    async with (
        _opened(settings, settings.redis_url, settings.mongo_url, given=given) as stores,
        contextlib.aclosing(TokenVerifier(http, settings.oidc)) as verifier,
        open_session_ends(
            stores.revocations,
            verifier,
            publish_hint=lambda: stores.hint_publisher.publish(REVOCATIONS_CHANNEL),
            issuer=http,
            settings=settings.oidc,
        ) as session_ends,
        contextlib.aclosing(_sessions(settings, stores, client, session_ends)) as sessions,
        open_payments(settings.payment, stores) as payments,
    ):
        if not settings.has_own_issuer:
            verifier.keys.watch()
        site, ticket_keys = site_of(settings), make_ticket_keys(settings)
        callers = Callers(session_ends.verifier, site=site, sessions=sessions)
        resources = Resources(
            stores,
            make_pass_signer(settings),
            call_limits=CallLimits(make_rate_limits(settings.limit)),
            signed_in_may_buy=settings.signed_in_may_buy,
            payments=payments,
            checkout=make_checkout(settings.payment),
            transfer_mails=QueuedTransferMails(stores.mails),
            ticket_keys=ticket_keys,
            site_url=site.origin,
        )
        async with (
            open_library(resources.concert_keys, stores.ticket_documents, settings.font_dirs) as library,
            open_graphql_service(
                resources,
                callers,
                redis_url=settings.redis_url,
                tick_s=settings.push_tick_ms / 1000,
                loop_share=settings.push_loop_percent / 100,
                push_intervals=PushIntervals.from_pairs(settings.push_intervals),
                max_body_bytes=settings.max_body_bytes,
                allowed_origins=(site.origin, *settings.allowed_origins),
                allows_loopback_origins=not settings.is_production,
                limits=make_socket_limits(settings.limit),
                engine=engine,
                page=GraphiqlPage(settings).answer,
            ) as service,
        ):
            session_ends.follow(service.connection_counter.callers)
            service.feed.listen(REVOCATIONS_CHANNEL, session_ends.on_hint)
            yield AppState(
                stores=stores,
                passes=resources.passes,
                graphql_service=service,
                fast_path=_fast_path(settings, service),
                login=Login(client, sessions, site, _login_limit(settings, stores)),
                event_streams=service.event_streams,
                revocations=session_ends.revocations,
                backchannel_logout=session_ends.backchannel_logout,
                payment_webhooks=PaymentWebhooks(
                    payments.provider,
                    stores.payment_inbox,
                    installation=payments.installation,
                    takes_live=settings.is_production,
                    max_bytes=settings.limit.webhook_bytes,
                ),
                gate_files=gate_files.make_gate_files(stores, ticket_keys, resources.key_rings),
                ticket_downloads=downloads.TicketDownloads(stores, callers, library, DownloadLinks(ticket_keys)),
                first_answers=FirstAnswers(engine, resources, DIST),
                image_uploads=uploads.make_image_uploads(stores, callers, settings.limit, site.origin),
                order_exports=order_exports.make_order_exports(resources, callers, settings.limit.exports_per_person),
                media_files=media.MediaFiles(stores.images.read_file, stores.detached_tasks),
                issuer=None if settings.has_own_issuer else verifier.keys,
            )
    logs.flush()


def _opened(
    settings: Settings, redis_url: str, mongo_url: str, *, given: Stores | None = None
) -> AbstractAsyncContextManager[Stores]:
    """Return the given stores, which stay open, or open new ones."""
    if given is not None:
        return contextlib.nullcontext(given)
    return open_stores(
        redis_url,
        mongo_url,
        settings.mongo_database,
        batched_holds=settings.batched_holds,
        declares_noeviction=settings.declares_noeviction,
    )


def _fast_path(settings: Settings, service: GraphQLService) -> FastPath | None:
    if not settings.http_fast_path:
        return None
    return FastPath(service.http, settings.trusted_proxies, max_body_bytes=settings.max_body_bytes)


def _login_limit(settings: Settings, stores: Stores) -> LoginLimit:
    rate = settings.limit.logins_per_address
    return LoginLimit(stores.call_counter, Rate(*rate) if rate else None)


def _sessions(settings: Settings, stores: Stores, client: OidcClient, ends: SessionEnds) -> Sessions:
    given = decode_keys(settings.session.keys)
    return Sessions(
        stores.login_sessions,
        SessionCipher(given or keys_from_file(settings.data_dir / "session-key")),
        issuer=client,
        verifier=ends.new_token_verifier,
        revocations=ends.revocations,
        settings=settings.session,
        privileged_recheck_s=settings.oidc.recheck_s,
    )


class _GraphQL:
    """The ASGI endpoint of the GraphQL service.

    It is a class because Starlette would treat a function as a request handler.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service: GraphQLService = scope["state"]["graphql_service"]
        await (service.http if scope["type"] == "http" else service.socket)(scope, receive, send)


def _issuer_routes(settings: Settings) -> list[BaseRoute]:
    if not settings.has_own_issuer:
        return []
    public_url = settings.public_url or f"http://localhost:{settings.port}"
    return issuer_routes(
        settings.issuer,
        audience=settings.oidc.audience[0],
        client_id=settings.oidc.client_id,
        data_dir=settings.data_dir,
        env=settings.env,
        client_secret=settings.oidc.client_secret,
        backchannel_logout_url=f"{public_url}/oidc/backchannel-logout",
        backchannel_client_id=settings.oidc.client_id,
    )


async def run(settings: Settings) -> None:
    """Run everything on one machine until canceled.

    The application and the workers share one set of stores. Resources are closed in reverse order
    of opening.
    """
    logs.configure(settings.log_format)
    engine = make_engine(settings)
    async with AsyncExitStack() as stack:
        owns_data = settings.redis_url is None or settings.mongo_url is None
        if owns_data:
            stack.enter_context(lock_data_dir(settings.data_dir, app_port=settings.port))
            _write(home.starting(settings))
        listener = stack.enter_context(_listen(settings))
        urls = await stack.enter_async_context(
            run_stores(settings.data_dir, redis_url=settings.redis_url, mongo_url=settings.mongo_url)
        )
        settings = replace(settings, redis_url=urls.redis, mongo_url=urls.mongo)
        stores = await stack.enter_async_context(_opened(settings, urls.redis, urls.mongo))
        if settings.loads_demo:
            await load_demo(Resources(stores, make_pass_signer(settings)).context(None, "demo"))
        if owns_data:
            running = run_embedded_sandbox(
                settings.payment, settings.data_dir, app_host=settings.host, app_port=settings.port
            )
            payment = await stack.enter_async_context(running)
        else:
            payment = find_embedded_sandbox(settings.payment, settings.data_dir)
        settings = replace(settings, payment=payment)
        payments = await stack.enter_async_context(open_payments(settings.payment, stores))
        server = _Server(settings, stores, engine)
        codes = ConcertKeys(make_ticket_keys(settings), stores.ticket_keys)
        library = await stack.enter_async_context(open_library(codes, stores.ticket_documents, settings.font_dirs))
        handlers = await stack.enter_async_context(open_effect_handlers(library))
        mailer = make_mailer(settings, AttachedDocuments(library))
        async with asyncio.TaskGroup() as group:
            running_workers = run_workers(
                stores, urls.redis, payments=payments, effect_handlers=handlers, mailer=mailer, fonts=library.fonts
            )
            workers = group.create_task(running_workers)
            await _serve(server, listener)
            workers.cancel()


async def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
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


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        step = (
            "another program uses it; set ONSALE_PORT to a free port"
            if taken
            else f"{error.strerror}; check ONSALE_HOST"
        )
        raise SettingsError(f"port {settings.port} on {settings.host} cannot be opened: {step}") from error


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
