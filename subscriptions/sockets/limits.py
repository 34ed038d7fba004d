"""How much one client may ask of the transports, and how long they wait. Every bound has a behaviour."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    streams: int = 20_000
    """Sockets and event streams of this process: at 40 KiB each, 800 MiB. More are sent elsewhere with 1013 or 503."""
    streams_per_address: int = 5_000
    """Whole offices and mobile carriers share an address, but nobody may take the whole process. As above."""
    streams_per_person: int = 20
    """Some tabs on some devices, and the half-open ones of a phone in a tunnel. As above."""
    operations_per_socket: int = 50
    """Running at once; a page needs a handful. One more is answered with an error for its id."""
    message_bytes: int = 65_536
    """What the largest document and its variables need is far below. More closes with 4400."""
    messages_per_s: float = 20.0
    messages_burst: int = 120
    """A client that comes back subscribes to everything at once. Faster than this closes with 4429."""
    init_wait_s: float = 3.0
    """As in the reference implementation."""
    ping_after_s: float = 20.0
    """Of silence: below the 30 s after which the strictest proxies and carriers drop a connection."""
    pong_wait_s: float = 10.0
    drain_wait_s: float = 30.0
    """A reader that takes nothing for so long is closed with 1013, and its memory is freed."""
    heartbeat_s: float = 12.0
    """A comment on an event stream: it has no ping that the client would answer."""
