"""A sweep keeps no socket that has closed."""

import weakref
from dataclasses import dataclass

from subscriptions.sockets.sweep import CHECKS_PER_SLICE, Sweep
from tests.support.waiting import wait_until


@dataclass(eq=False)
class Socket:
    """A due socket, with whose end all sockets close."""

    sweep: Sweep
    others: "list[Socket]"
    due_s: float = 0.0

    def on_due(self, now_s: float) -> None:
        for socket in self.others:
            socket.due_s = float("inf")
            self.sweep.discard(socket)
        self.others.clear()


async def test_sockets_that_close_during_a_check_are_forgotten() -> None:
    sweep, opened = Sweep(0.001), list[Socket]()
    opened += [Socket(sweep, opened) for _ in range(CHECKS_PER_SLICE + 1)]
    known = [weakref.ref(socket) for socket in opened]
    for socket in opened:
        sweep.add(socket)
    del socket
    await wait_until(lambda: not opened, what="the check")
    assert [ref() for ref in known if ref() is not None] == []
