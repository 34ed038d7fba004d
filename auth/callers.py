"""Identifies the caller of a request, an event stream or a socket.

If a request has a bearer token, its session cookie is ignored, but a bad token is always refused.
The cookie counts only in requests from our own pages, because browsers add it to requests from
other pages too; other origins and programs use bearer tokens.
"""

from dataclasses import dataclass
from typing import Protocol

from starlette.datastructures import Headers

from auth.bearer import TokenDigest, read_bearer
from auth.public_site import Site
from auth.sessions.cookies import LoginCookies
from auth.viewer import Viewer
from domain.errors import Forbidden, SessionLost, Unauthenticated

PREFLIGHT_HEADER = "GraphQL-Require-Preflight"
"""A header that pages from other origins can send only after a CORS preflight."""


class TokenVerifier(Protocol):
    async def verify(self, token: str) -> Viewer:
        """Raises Unauthenticated or TemporarilyUnavailable."""
        ...

    def recall(self, digest: TokenDigest) -> Viewer | None:
        """Return the viewer of a token that was verified earlier, or None if only `verify` can
        judge it now.
        """
        ...


class Recheck(Protocol):
    """The repeated check of a connection, which may stay open long after its first check."""

    def delay_s(self) -> float: ...

    async def check(self) -> None:
        """Raises SessionLost, Unauthenticated or TemporarilyUnavailable."""
        ...


class SessionReader(Protocol):
    async def viewer_of(self, cookie: str) -> Viewer:
        """Raises SessionLost or TemporarilyUnavailable."""
        ...

    def recheck(self, cookie: str, viewer: Viewer) -> Recheck: ...


class NoSessions:
    """Sessions of a server without a login: every cookie is unknown."""

    async def viewer_of(self, cookie: str) -> Viewer:
        raise SessionLost

    def recheck(self, cookie: str, viewer: Viewer) -> Recheck:
        raise SessionLost


@dataclass(frozen=True, slots=True)
class Identified:
    """The result of a check: the viewer, or None for an anonymous caller."""

    caller: Viewer | None
    recheck: Recheck | None = None
    """Set for a session, whose viewer has no expiry. A connection must repeat this check."""


class Callers:
    """All errors that its methods raise are for the client: Unauthenticated, SessionLost, Forbidden
    and TemporarilyUnavailable.
    """

    def __init__(self, verifier: TokenVerifier, *, site: Site, sessions: SessionReader) -> None:
        self._verifier = verifier
        self._site = site
        self._sessions = sessions
        self._cookies = LoginCookies(site)

    async def identify_request(self, headers: Headers, *, needs_preflight: bool) -> Identified:
        """Return the caller of an HTTP request.

        `needs_preflight` is for requests that a page from another origin could send without asking
        first: GET requests and event streams.
        """
        given = headers.getlist("authorization")
        if given:
            return Identified(await self.identify_bearer(given[0] if len(given) == 1 else None))
        cookie = self._cookies.session(headers)
        if cookie is None:
            return Identified(None)
        self._site.require_own_page(headers)
        if needs_preflight and PREFLIGHT_HEADER not in headers:
            raise Forbidden(
                f"A GET request or an event stream with a session cookie needs the header {PREFLIGHT_HEADER};"
                f" send it with any value, from a page of {self._site.origin!r} (ONSALE_PUBLIC_URL)."
            )
        return await self._identify_session(cookie)

    async def identify_bearer(self, authorization: object) -> Viewer:
        """Return the viewer whose token an `Authorization` value contains."""
        return await self._verifier.verify(read_bearer(authorization if isinstance(authorization, str) else ""))

    def recall_bearer(self, token: TokenDigest) -> Viewer | None:
        """Return the viewer whom `identify_bearer` would return for a token that was verified
        earlier, or None if the token must be judged again.
        """
        return self._verifier.recall(token)

    async def require_caller(self, headers: Headers, *, otherwise: str) -> Viewer:
        """Return the signed-in caller of a request that a page of another origin cannot use: its
        answer cannot be read there, or its content needs a preflight. `otherwise` is the message
        for an anonymous caller.
        """
        caller = (await self.identify_request(headers, needs_preflight=False)).caller
        if caller is None:
            raise Unauthenticated(otherwise)
        return caller

    def refusal_for_upgrade(self, headers: Headers) -> str | None:
        """Return why a socket may not be opened, or None if it may.

        Browsers add the cookie to sockets that any page of the same site opens, and no page can
        prevent that, so a socket with a cookie must come from one of our pages.
        """
        return self._site.refusal_for_socket(headers) if self._cookies.session(headers) else None

    async def identify_socket(self, headers: Headers, authorization: object) -> Identified:
        """Return the caller of a socket that `refusal_for_upgrade` has accepted.

        `headers` come from the upgrade request, and `authorization` from connection_init.
        """
        if authorization is not None:
            return Identified(await self.identify_bearer(authorization))
        cookie = self._cookies.session(headers)
        return Identified(None) if cookie is None else await self._identify_session(cookie)

    def has_credentials(self, headers: Headers) -> bool:
        """Return whether the answer is for this client alone, so that no cache may share it."""
        return "authorization" in headers or self._cookies.session(headers) is not None

    def cleared_cookie(self) -> str:
        """Return the Set-Cookie header that deletes the cookie of a lost session."""
        return self._cookies.cleared_session()

    async def _identify_session(self, cookie: str) -> Identified:
        viewer = await self._sessions.viewer_of(cookie)
        return Identified(viewer, self._sessions.recheck(cookie, viewer))


def cache_headers(*, has_credentials: bool) -> dict[str, str]:
    """Return the headers of an answer that depends on its caller."""
    control = "private, no-store" if has_credentials else "no-store"
    # Answers for pages of other origins add Origin to Vary.
    return {"Cache-Control": control, "Vary": "Accept, Cookie, Authorization"}
