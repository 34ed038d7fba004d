"""Finds free ports on this machine for the embedded servers."""

import random
import socket

LOOPBACK = "127.0.0.1"
# Below Linux's ephemeral range, so that no outgoing connection takes the port while its server
# restarts.
PORTS = range(20_000, 32_000)
TRIES = 100
# Two processes whose `random` has the same seed, such as two pytest workers, would choose the
# same port at the same time.
_random = random.SystemRandom()


def free_port(*, first: int | None = None) -> int | None:
    """Return `first` if it is free, otherwise any free port; None if all ports tried are in use."""
    wanted = [] if first is None else [first]
    return next((port for port in [*wanted, *_random.sample(PORTS, k=TRIES)] if _is_free(port)), None)


def accepts_connections(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # The servers set this option too, so connections from an earlier run in TIME_WAIT do not
        # block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
