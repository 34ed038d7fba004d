"""Why we close a socket. Clients retry some codes by themselves and give up on others: never send one that is fatal for
what passes. What clients do is that of the npm package graphql-ws 6."""

from enum import IntEnum

REASON_BYTES = 123
"""RFC 6455, section 5.5: a control frame has at most 125 bytes, and two of them are the code."""


class CloseCode(IntEnum):
    GOING_AWAY = 1001
    """The client answered no ping: it is probably gone. Retried."""
    SERVICE_RESTART = 1012
    """This process ends; another one takes the socket. Retried."""
    TRY_AGAIN_LATER = 1013
    """Too many sockets, a reader that does not read, or an issuer that is away. Retried."""
    BAD_REQUEST = 4400
    """A message that the protocol does not know. Fatal."""
    UNAUTHORIZED = 4401
    """A subscription before the acknowledgement. Fatal."""
    FORBIDDEN = 4403
    """The token is refused, or has expired. Retried, so that a client can come with a new one."""
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    """Not graphql-transport-ws. Fatal."""
    CONNECTION_INIT_TIMEOUT = 4408
    """No connection_init in time. Retried."""
    SUBSCRIBER_ALREADY_EXISTS = 4409
    """An id that is in use. Fatal."""
    TOO_MANY_REQUESTS = 4429
    """A second connection_init, or messages faster than allowed: what floods us must not come back by itself. Fatal."""


def shortened(reason: str) -> str:
    """As much as a close frame carries, cut between characters."""
    encoded = reason.encode(errors="replace")
    if len(encoded) <= REASON_BYTES:
        return encoded.decode()
    return encoded[: REASON_BYTES - 3].decode(errors="ignore") + "…"
