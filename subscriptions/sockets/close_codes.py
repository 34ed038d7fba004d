"""The close codes that the server sends on WebSockets.

Clients retry some codes by themselves and give up on others: never send a fatal code for a
temporary condition. The client behavior described here is that of the npm package graphql-ws 6.
"""

from enum import IntEnum

REASON_BYTES = 123
"""Maximum length of a reason.

RFC 6455, section 5.5: a control frame has at most 125 bytes, and two of them are the code.
"""


class CloseCode(IntEnum):
    GOING_AWAY = 1001
    """The client answered no ping and is probably gone. Retried."""
    SERVICE_RESTART = 1012
    """This process is stopping; another process accepts the client. Retried."""
    TRY_AGAIN_LATER = 1013
    """The client should try again later.

    There are too many sockets, the place of a silent socket is needed, the client does not read, or
    the issuer is unavailable. Retried.
    """
    BAD_REQUEST = 4400
    """The message is not part of the protocol. Fatal."""
    UNAUTHORIZED = 4401
    """A subscription arrived before the acknowledgement. Fatal."""
    FORBIDDEN = 4403
    """The token is refused or has expired. Retried, so that a client can send a new token."""
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    """The subprotocol is not graphql-transport-ws. Fatal."""
    CONNECTION_INIT_TIMEOUT = 4408
    """No connection_init arrived in time. Retried."""
    SUBSCRIBER_ALREADY_EXISTS = 4409
    """The operation id is in use. Fatal."""
    TOO_MANY_REQUESTS = 4429
    """A second connection_init, or messages faster than they are read for two seconds.

    Fatal, because a client that floods the server must not reconnect by itself.
    """


def shortened(reason: str) -> str:
    """Return as much of the reason as fits in a close frame, cut between characters."""
    encoded = reason.encode(errors="replace")
    if len(encoded) <= REASON_BYTES:
        return encoded.decode()
    return encoded[: REASON_BYTES - 3].decode(errors="ignore") + "…"
