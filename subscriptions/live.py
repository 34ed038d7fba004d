"""One operation of a socket, from subscribe to its last message, and the newest state that its client has not seen."""

from collections.abc import Callable, Hashable

from subscriptions import messages
from subscriptions.operations import Watch
from subscriptions.sources import Rendered

MAX_UNSEEN = 100
"""States of different things that one subscription keeps for a slow reader; a person has far fewer holds."""


class Live:
    """Over from the moment nothing but its last message may be sent; the id is free again then."""

    __slots__ = ("_forget", "_is_last", "_unseen", "_watch", "id", "is_over")

    def __init__(self, id_: str, forget: Callable[["Live"], None]) -> None:
        self.id = id_
        self.is_over = False
        self._forget = forget
        self._watch: Watch | None = None
        self._unseen: dict[Hashable, bytes] = {}
        self._is_last = False

    @property
    def is_full(self) -> bool:
        return len(self._unseen) > MAX_UNSEEN

    def attach(self, watch: Watch) -> None:
        """The operation may have ended while it was being started."""
        if self.is_over:
            watch.close()
        else:
            self._watch = watch

    def show(self, rendered: Rendered) -> None:
        """Takes the place of what the client did not read yet about the same thing."""
        self._unseen.pop(rendered.key, None)
        self._unseen[rendered.key] = rendered.payload
        self._is_last |= rendered.is_last

    def take(self) -> str | None:
        """The next message to send, if there is one."""
        if self.is_over:
            return None
        if self._unseen:
            return messages.next_(self.id, self._unseen.pop(next(iter(self._unseen))))
        if self._is_last:
            self.finish()
            return messages.complete(self.id)
        return None

    def finish(self) -> None:
        if self.is_over:
            return
        self.is_over = True
        self._unseen.clear()
        self._forget(self)
        if self._watch is not None:
            self._watch.close()
            self._watch = None
