"""The close codes of our sockets.

Clients retry automatically after some codes and give up after others, so never send a fatal code
for a temporary condition. This describes the behavior of version 6 of the npm package
graphql-ws.
"""

from enum import IntEnum

REASON_BYTES = 123
"""The maximum length of a reason in bytes.

According to RFC 6455, section 5.5, a control frame has at most 125 bytes, two of which are the
code.
"""


class CloseCode(IntEnum):
    GOING_AWAY = 1001
    """The client did not answer a ping and is probably disconnected. Retried."""
    SERVICE_RESTART = 1012
    """This process is stopping; the client reconnects to another process. Retried."""
    TRY_AGAIN_LATER = 1013
    """There are too many sockets, this one was silent while another client needed its place, the
    client does not read, or the issuer is unavailable. Retried."""
    BAD_REQUEST = 4400
    """The message is too large or violates the protocol. Fatal."""
    UNAUTHORIZED = 4401
    """A subscribe message arrived before the acknowledgment. Fatal."""
    FORBIDDEN = 4403
    """The token was refused or has expired, its session has ended or was lost, or the person's
    roles have changed. Retried, so that a client can send a new token. The reason for a lost
    session begins with `SESSION_LOST`."""
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    """The subprotocol is not graphql-transport-ws. Fatal."""
    CONNECTION_INIT_TIMEOUT = 4408
    """No connection_init arrived in time. Retried."""
    SUBSCRIBER_ALREADY_EXISTS = 4409
    """The operation id is in use. Fatal."""
    TOO_MANY_REQUESTS = 4429
    """The client sent a second connection_init, or sent messages too fast for two seconds. Fatal,
    because a client that floods us must not reconnect automatically. """


def shortened(reason: str) -> str:
    """Return the reason, truncated between characters to fit into a close frame."""
    encoded = reason.encode(errors="replace")
    if len(encoded) <= REASON_BYTES:
        return encoded.decode()
    return encoded[: REASON_BYTES - 3].decode(errors="ignore") + "…"
