"""How people sign in to a process, from its settings: tokens, browser sessions, the login, and the
issuer of development.
"""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.routing import BaseRoute

from auth.callers import Callers
from auth.dev_issuer.logins import Logins
from auth.dev_issuer.routes import issuer_routes
from auth.issuer_http import IssuerHttp
from auth.login import Login
from auth.login_limit import LoginLimit
from auth.public_site import Site
from auth.revocation.session_ends import SessionEnds, open_session_ends
from auth.sessions.cipher import SessionCipher, decode_keys, keys_from_file
from auth.sessions.oidc_client import OidcClient
from auth.sessions.sessions import Sessions
from auth.tokens import TokenVerifier
from domain.limits.rates import Rate
from settings import Settings
from storage.connect import Stores
from storage.keys import REVOCATIONS_CHANNEL


@dataclass(frozen=True, slots=True)
class SignIn:
    verifier: TokenVerifier
    session_ends: SessionEnds
    callers: Callers
    login: Login
    issuer_logins: Logins
    """The codes and the ended sessions of the development issuer."""


@asynccontextmanager
async def open_sign_in(settings: Settings, stores: Stores, site: Site) -> AsyncIterator[SignIn]:
    http = IssuerHttp(settings.issuer, settings.oidc.internal_url, settings.oidc.ca_file)
    client = OidcClient(settings.oidc, http)
    rate = Rate(*settings.limit.logins_per_address) if settings.limit.logins_per_address else None
    async with (
        contextlib.aclosing(TokenVerifier(http, settings.oidc)) as verifier,
        open_session_ends(
            stores.revocations,
            verifier,
            publish_hint=lambda: stores.hint_publisher.publish(REVOCATIONS_CHANNEL),
            issuer=http,
            settings=settings.oidc,
        ) as session_ends,
        contextlib.aclosing(_make_sessions(settings, stores, client, session_ends)) as sessions,
    ):
        yield SignIn(
            verifier,
            session_ends,
            callers=Callers(session_ends.verifier, site=site, sessions=sessions),
            login=Login(client, sessions, site, LoginLimit(stores.call_counter, rate)),
            issuer_logins=Logins(stores.issuer_logins, stores.call_counter, per_address=rate),
        )


def _make_sessions(settings: Settings, stores: Stores, client: OidcClient, ends: SessionEnds) -> Sessions:
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


def make_issuer_routes(settings: Settings) -> list[BaseRoute]:
    """Return the routes of the development issuer, or none if there is another issuer."""
    if not settings.has_own_issuer:
        return []
    public_url = settings.public_url or f"http://localhost:{settings.port}"
    return issuer_routes(
        settings.issuer,
        lambda request: request.state.issuer_logins,
        audience=settings.oidc.audience[0],
        client_id=settings.oidc.client_id,
        data_dir=settings.data_dir,
        env=settings.env,
        client_secret=settings.oidc.client_secret,
        backchannel_logout_url=f"{public_url}/oidc/backchannel-logout",
        backchannel_client_id=settings.oidc.client_id,
    )
