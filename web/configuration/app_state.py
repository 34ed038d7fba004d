"""The objects that requests of a process share, from its settings. The lifespan of the application
opens and closes them.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypedDict

from auth.callers import Callers
from auth.dev_issuer.logins import Logins
from auth.login import Login
from auth.passes import PassSigner
from auth.public_site import Site, site_of
from auth.revocation.backchannel_logout import BackchannelLogout
from auth.revocation.revocations import Revocations
from payments.opening import open_payments
from payments.saga.order_payments import OrderPayments
from resolvers.call_limits import CallLimits
from resolvers.context import Resources
from resolvers.tickets.transfer_mails import QueuedTransferMails
from schema import Engine
from settings import Settings
from storage.connect import Stores
from storage.keys import REVOCATIONS_CHANNEL
from subscriptions.publishing.push_intervals import PushIntervals
from tickets.documents.library import open_library
from tickets.documents.links import DownloadLinks
from tickets.keys import TicketKeys
from web import health
from web.configuration.keys import make_pass_signer, make_ticket_keys
from web.configuration.limits import make_rate_limits, make_socket_limits
from web.configuration.payment import make_checkout
from web.configuration.sign_in import open_sign_in
from web.event_streams import EventStreams
from web.fast_path.answers import FastPath
from web.graphql_service import GraphQLService, open_graphql_service
from web.images import media, uploads
from web.organizers import order_exports
from web.pages.files import DIST
from web.pages.first_answers import FirstAnswers
from web.pages.graphiql import GraphiqlPage
from web.payment_webhooks import PaymentWebhooks
from web.tickets import downloads, gate_files


class AppState(TypedDict):
    """Requests find these objects in `scope["state"]`."""

    stores: Stores
    passes: PassSigner
    graphql_service: GraphQLService
    fast_path: FastPath | None
    """None if the setting turns it off. web/fast_path/protocol.py reads it."""
    login: Login
    issuer_logins: Logins
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
    departure: health.Departure
    issuer: health.IssuerStatus | None
    """None if this process is its own issuer."""


@asynccontextmanager
async def open_app_state(settings: Settings, stores: Stores, engine: Engine, redis_url: str) -> AsyncIterator[AppState]:
    """Open everything but the stores. `redis_url` is the address of the stores' Redis."""
    site, ticket_keys = site_of(settings), make_ticket_keys(settings)
    async with (
        open_sign_in(settings, stores, site) as sign_in,
        open_payments(settings.payment, stores) as payments,
    ):
        if not settings.has_own_issuer:
            sign_in.verifier.keys.watch()
        ends, callers = sign_in.session_ends, sign_in.callers
        resources = _make_resources(settings, stores, payments, ticket_keys=ticket_keys, site=site)
        async with (
            open_library(resources.concert_keys, stores.ticket_documents, settings.font_dirs) as library,
            _open_service(settings, resources, callers, engine=engine, redis_url=redis_url, site=site) as service,
        ):
            ends.follow(service.connection_counter.callers)
            service.feed.listen(REVOCATIONS_CHANNEL, ends.on_hint)
            yield AppState(
                stores=stores,
                passes=resources.passes,
                graphql_service=service,
                fast_path=_make_fast_path(settings, service),
                login=sign_in.login,
                issuer_logins=sign_in.issuer_logins,
                event_streams=service.event_streams,
                revocations=ends.revocations,
                backchannel_logout=ends.backchannel_logout,
                payment_webhooks=_make_payment_webhooks(settings, stores, payments),
                gate_files=gate_files.make_gate_files(stores, ticket_keys, resources.key_rings),
                ticket_downloads=downloads.TicketDownloads(stores, callers, library, DownloadLinks(ticket_keys)),
                first_answers=FirstAnswers(engine, resources, DIST),
                image_uploads=uploads.make_image_uploads(stores, callers, settings.limit, site.origin),
                order_exports=order_exports.make_order_exports(resources, callers, settings.limit.exports_per_person),
                media_files=media.MediaFiles(stores.images.read_file, stores.detached_tasks),
                departure=health.Departure(),
                issuer=None if settings.has_own_issuer else sign_in.verifier.keys,
            )


def _make_resources(
    settings: Settings, stores: Stores, payments: OrderPayments, *, ticket_keys: TicketKeys, site: Site
) -> Resources:
    return Resources(
        stores,
        make_pass_signer(settings),
        call_limits=CallLimits(make_rate_limits(settings.process_limit)),
        signed_in_may_buy=settings.signed_in_may_buy,
        payments=payments,
        checkout=make_checkout(settings.payment),
        transfer_mails=QueuedTransferMails(stores.mails),
        ticket_keys=ticket_keys,
        site_url=site.origin,
    )


def _open_service(
    settings: Settings, resources: Resources, callers: Callers, *, engine: Engine, redis_url: str, site: Site
) -> AbstractAsyncContextManager[GraphQLService]:
    return open_graphql_service(
        resources,
        callers,
        redis_url=redis_url,
        tick_s=settings.push_tick_ms / 1000,
        loop_share=settings.push_loop_percent / 100,
        push_intervals=PushIntervals.from_pairs(settings.push_intervals),
        max_body_bytes=settings.max_body_bytes,
        allowed_origins=(site.origin, *settings.allowed_origins),
        allows_loopback_origins=not settings.is_production,
        limits=make_socket_limits(settings.process_limit),
        engine=engine,
        page=GraphiqlPage(settings).answer,
    )


def _make_fast_path(settings: Settings, service: GraphQLService) -> FastPath | None:
    if not settings.http_fast_path:
        return None
    return FastPath(service.http, settings.trusted_proxies, max_body_bytes=settings.max_body_bytes)


def _make_payment_webhooks(settings: Settings, stores: Stores, payments: OrderPayments) -> PaymentWebhooks:
    return PaymentWebhooks(
        payments.provider,
        stores.payment_inbox,
        installation=payments.installation,
        takes_live=settings.is_production,
        max_bytes=settings.limit.webhook_bytes,
    )
