"""Identifies the caller of a socket from the upgrade request and connection_init."""

from contextvars import Context
from dataclasses import dataclass

from starlette.datastructures import Headers

from domain.errors import SessionLost, TemporarilyUnavailable, Unauthenticated
from subscriptions.interfaces import Authenticator, C, Identified
from subscriptions.sockets.close_codes import CloseCode
from subscriptions.sockets.messages import Init
from subscriptions.sockets.token_names import has_token_under_other_name

_TOKEN_HINT = (
    "This socket is not signed in, because its access token was sent where it is not read."
    " Send `Authorization: Bearer <access token>` in the payload of connection_init."
)


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The upgrade request, which is forgotten once connection_init has been checked."""

    headers: Headers
    has_unread_token: bool
    """Whether the headers or the URL contain a token in a place where tokens are not read."""
    context: Context
    """The context of the request, whose id is added to log lines."""


async def identify(init: Init, upgrade: Upgrade, authenticator: Authenticator[C]) -> Identified[C]:
    """Return the caller. Raises Unauthenticated, SessionLost or TemporarilyUnavailable."""
    given = [init.payload.get(name) for name in ("Authorization", "authorization")]
    tokens = [value for value in given if value is not None]
    # As over HTTP, two tokens are refused: an empty one, which is never valid, replaces them.
    authorization = (tokens[0] if len(tokens) == 1 else "") if tokens else None
    return await authenticator.identify_socket(upgrade.headers, authorization)


def hint_for_anonymous(init: Init, upgrade: Upgrade) -> str | None:
    """Return a hint for the developer of a client that sent its token to the wrong place."""
    is_needed = upgrade.has_unread_token or has_token_under_other_name(init.payload)
    return _TOKEN_HINT if is_needed else None


def closing_for(error: Unauthenticated | SessionLost | TemporarilyUnavailable) -> tuple[CloseCode, str]:
    """Return the code and the reason with which a socket is closed because of its caller."""
    if isinstance(error, TemporarilyUnavailable):
        return CloseCode.TRY_AGAIN_LATER, str(error)
    # Clients tell a lost session from a bad token by the first word.
    prefix = "SESSION_LOST: " if isinstance(error, SessionLost) else ""
    return CloseCode.FORBIDDEN, f"{prefix}{error}"
