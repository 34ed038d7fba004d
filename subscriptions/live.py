"""One operation of a socket, from subscribe to its last message."""

from collections.abc import Callable

from subscriptions import messages
from subscriptions.newest import Newest
from subscriptions.operations import Watch


class Live:
    """Over from the moment nothing but its last message may be sent; the id is free again then."""

    __slots__ = ("_forget", "_watch", "id", "is_over", "newest")

    def __init__(self, id_: str, forget: Callable[["Live"], None]) -> None:
        self.id = id_
        self.is_over = False
        self.newest = Newest()
        self._forget = forget
        self._watch: Watch | None = None

    def attach(self, watch: Watch) -> None:
        """The operation may have ended while it was being started."""
        if self.is_over:
            watch.close()
        else:
            self._watch = watch

    def take(self) -> str | None:
        """The next message to send, if there is one."""
        if self.is_over:
            return None
        payload = self.newest.take()
        if payload is not None:
            return messages.next_(self.id, payload)
        if self.newest.is_over:
            self.finish()
            return messages.complete(self.id)
        return None

    def finish(self) -> None:
        if self.is_over:
            return
        self.is_over = True
        self.newest.clear()
        self._forget(self)
        if self._watch is not None:
            self._watch.close()
            self._watch = None
