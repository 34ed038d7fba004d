"""Limits on the load that one client may cause in the transports, and on how long they wait.

Each limit defines what happens when it is exceeded.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    streams: int = 20_000
    """The maximum number of sockets and event streams of this process: at 40 KiB each, 800 MiB.

    Further clients are refused with 1013 or 503, so that they try another process.
    """
    streams_per_address: int = 5_000
    """The maximum number per address.

    Whole offices and mobile carriers share an address, but one address must not fill the whole
    process. At the limit, the sockets that were silent longest are pinged, and a socket that does
    not answer is closed to make room. Further clients are refused with 1013 or 503.
    """
    streams_per_person: int = 20
    """The maximum number per person.

    It allows several tabs on several devices, and the half-open sockets of a phone in a tunnel,
    which are closed to make room like those of an address. Further clients are refused with 1013
    or 503.
    """
    operations_per_socket: int = 50
    """The maximum number of running operations; a page needs a handful.

    Another operation gets an error message for its id.
    """
    message_bytes: int = 65_536
    """The maximum size of a message, far above the largest document with its variables.

    A larger message closes the socket with 4400.
    """
    messages_per_s: float = 20.0
    messages_burst: int = 120
    """The burst for a client that reconnects and starts all its subscriptions again.

    A faster client is read more slowly.
    """
    messages_slowed_per_s: float = 200.0
    slowed_s: float = 2.0
    """If a client still sends faster than it is read after this time, its socket is closed with
    4429.
    """
    init_wait_s: float = 3.0
    """The time to wait for connection_init, as in the reference implementation."""
    ping_after_s: float = 20.0
    """The duration of silence before a ping.

    It is below the 30 s after which the strictest proxies and carriers drop a connection.
    """
    pong_wait_s: float = 10.0
    probe_wait_s: float = 1.0
    """The time to answer a ping at a connection limit. The socket is then closed with 1013."""
    drain_wait_s: float = 30.0
    """The time after which the socket of a client that does not read is closed with 1013.

    Closing it frees its memory.
    """
    heartbeat_s: float = 12.0
    """The interval of comments on an event stream, on which clients cannot answer a ping."""
