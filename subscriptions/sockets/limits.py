"""Limits on the load that one client may cause, and on the time that transports wait.

The docstring of each limit states what happens when it is exceeded.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    streams: int = 20_000
    """The maximum number of sockets and event streams per process: 160 MiB at 8 KiB each.

    Further clients are refused with 1013 or 503, and can try another process.
    """
    streams_per_address: int = 5_000
    """The limit per address, because one address must not use up the whole process. A process that
    shares a port with others has its share of the setting.

    Whole offices and mobile carriers share an address, so the limit is high. At the limit, the
    sockets that have been silent longest are pinged; one that does not answer is closed to make
    room. If all answer, the new client is refused with 1013 or 503.
    """
    streams_per_person: int = 20
    """The limit per person: enough for several tabs on several devices, and for half-open sockets.

    A phone in a tunnel leaves half-open sockets, which are closed to make room, as for an address.
    Further sockets are refused with 1013 or 503.
    """
    operations_per_socket: int = 50
    """The maximum number of operations running at the same time; a page needs a handful.

    Any further operation is answered with an error for its id.
    """
    message_bytes: int = 65_536
    """The maximum size of a message.

    The largest document with its variables is far smaller. A larger message closes the socket with
    4400.
    """
    messages_per_s: float = 20.0
    messages_burst: int = 120
    """The burst for a client that reconnects and sends all its subscriptions together.

    The messages of a faster client are read more slowly.
    """
    messages_slowed_per_s: float = 200.0
    slowed_s: float = 2.0
    """If a client still sends too fast after this time, its socket is closed with 4429."""
    init_wait_s: float = 3.0
    """The time to wait for connection_init, as in the reference implementation."""
    ping_after_s: float = 20.0
    """The duration of silence before a ping.

    It is shorter than the 30 s after which the strictest proxies and carriers drop a connection.
    """
    pong_wait_s: float = 10.0
    probe_wait_s: float = 1.0
    """The time to answer a ping at a connection limit, after which the socket closes with 1013."""
    drain_wait_s: float = 30.0
    """The time after which the socket of a client that does not read is closed with 1013.

    Closing it frees its memory.
    """
    heartbeat_s: float = 12.0
    """The interval between comments on an event stream, on which clients cannot answer a ping."""
