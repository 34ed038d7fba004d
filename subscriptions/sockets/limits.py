"""Limits on the load that one client may cause in the transports, and on how long they wait.

Each limit defines what happens when it is exceeded.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    streams: int = 20_000
    """Sockets and event streams of this process: at 40 KiB each, 800 MiB.

    Further clients are sent elsewhere with 1013 or 503.
    """
    streams_per_address: int = 5_000
    """Limit per address, because one address may not take the whole process.

    Whole offices and mobile carriers share an address, so the limit is high. At the limit the
    sockets that were silent longest are pinged; one that does not answer makes room. If none does,
    the client is refused with 1013 or 503.
    """
    streams_per_person: int = 20
    """Limit per person: some tabs on some devices, and half-open sockets.

    A phone in a tunnel leaves half-open sockets, which make room as those of an address do.
    Further sockets are refused with 1013 or 503.
    """
    operations_per_socket: int = 50
    """Operations running at once; a page needs a handful.

    One more is answered with an error for its id.
    """
    message_bytes: int = 65_536
    """Maximum size of a message.

    The largest document and its variables are far below. A larger message closes with 4400.
    """
    messages_per_s: float = 20.0
    messages_burst: int = 120
    """Burst for a client that reconnects and subscribes to everything at once.

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
    """Silence before a ping.

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
