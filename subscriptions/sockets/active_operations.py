"""The operations of one connection by id, with the newest unsent payloads of each subscription.

An operation is started in a task; a running subscription needs no task. While a client does not
read, a payload replaces an unsent one with the same key, so the client skips to the newest state
and memory stays bounded.
"""

import logging
from collections.abc import Hashable
from typing import Generic, Protocol

from subscriptions.interfaces import (
    Answered,
    C,
    Ended,
    OperationRunner,
    Outcome,
    Rejected,
    Rendered,
    SubscriptionHandle,
)
from subscriptions.sockets import messages
from subscriptions.sockets.messages import Subscribe
from subscriptions.sockets.outbox import Outbox
from telemetry import metrics

logger = logging.getLogger(__name__)

MAX_KEYS = 100
"""The maximum number of keys in one subscription; a person has far fewer holds."""


class LatestValue:
    """The newest payload for each key; the key that changed least recently comes first."""

    __slots__ = ("__weakref__", "_is_last", "_payloads")

    def __init__(self) -> None:
        self._payloads: dict[Hashable, bytes] = {}
        self._is_last = False

    @property
    def is_finished(self) -> bool:
        """Return whether the last payload has been added and all payloads have been popped."""
        return self._is_last and not self._payloads

    @property
    def is_full(self) -> bool:
        return len(self._payloads) > MAX_KEYS

    def put(self, rendered: Rendered) -> None:
        metrics.unsent_pushes.began(self)
        if self._payloads.pop(rendered.key, None) is not None:
            metrics.messages_lagged.add()
        self._payloads[rendered.key] = rendered.payload
        self._is_last = rendered.is_last

    def pop(self) -> bytes | None:
        """Remove and return the oldest payload, or return None if no payload is left."""
        if not self._payloads:
            return None
        payload = self._payloads.pop(next(iter(self._payloads)))
        if not self._payloads:
            metrics.unsent_pushes.ended(self)
        metrics.messages_sent.add()
        return payload

    def clear(self) -> None:
        self._payloads.clear()
        metrics.unsent_pushes.ended(self)


class OperationOwner(Protocol):
    """The connection of an operation."""

    def on_finished(self, operation: "ActiveOperation") -> None:
        """Free the id of the operation."""

    def on_answer(self, *answers: bytes) -> None:
        """Send the messages after the answers that are waiting."""

    def on_overflow(self) -> None:
        """Close the socket: its client is so slow that even the newest payloads are too many."""


class ActiveOperation:
    """One operation, from subscribe to its last message. Its id can be reused after it ends."""

    __slots__ = ("_handle", "_latest", "_outbox", "_owner", "_prefix", "has_ended", "id", "is_abandoned", "is_starting")

    def __init__(self, id_: str, owner: OperationOwner, outbox: Outbox) -> None:
        self.id = id_
        self.has_ended = False
        self.is_starting = True
        self.is_abandoned = False
        """Whether the client completed the operation while it was being started."""
        self._owner = owner
        self._outbox = outbox
        self._prefix = messages.next_prefix(id_)
        self._latest: LatestValue | None = None
        self._handle: SubscriptionHandle | None = None

    def deliver(self, rendered: Rendered) -> None:
        """Send a payload now if the client reads, or keep it if it is the newest for its key."""
        if self.has_ended:
            return
        if not self._outbox.is_idle:
            self._keep(rendered)
            return
        self._outbox.wire.write_next(self._prefix, rendered)
        metrics.messages_sent.add()
        if rendered.is_last:
            self.finish()
            self._owner.on_answer(messages.complete(self.id))

    def next_message(self) -> bytes | None:
        """Return the next message to send, or None if there is none now."""
        if self.has_ended or self._latest is None:
            return None
        payload = self._latest.pop()
        if payload is not None:
            return messages.next_(self._prefix, payload)
        is_finished = self._latest.is_finished
        self._latest = None
        if is_finished:
            self.finish()
            return messages.complete(self.id)
        return None

    def settle(self, outcome: Outcome) -> None:
        """Send the outcome, or keep the handle of a subscription."""
        match outcome:
            case Answered() | Rejected() | Ended() if self.has_ended:
                pass
            case Answered():
                self.finish()
                self._owner.on_answer(messages.next_(self._prefix, outcome.payload), messages.complete(self.id))
            case Ended():
                self.finish()
                self._owner.on_answer(messages.complete(self.id))
            case Rejected():
                self.finish()
                self._owner.on_answer(messages.error(self.id, outcome.errors))
            case handle if self.has_ended:
                handle.close()
            case handle:
                self._handle = handle

    def finish(self) -> None:
        if self.has_ended:
            return
        self.has_ended = True
        if self._latest is not None:
            self._latest.clear()
            self._latest = None
        self._owner.on_finished(self)
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def _keep(self, rendered: Rendered) -> None:
        if self._latest is None:
            self._latest = LatestValue()
        self._latest.put(rendered)
        self._outbox.mark_changed(self)
        if self._latest.is_full:
            self._owner.on_overflow()


class ActiveOperations(Generic[C]):
    """Starts, completes and counts the operations of one connection."""

    __slots__ = ("_abandoned", "_by_id", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_id: dict[str, ActiveOperation] = {}
        self._abandoned = 0

    def __contains__(self, id_: str) -> bool:
        return id_ in self._by_id

    @property
    def is_full(self) -> bool:
        return len(self._by_id) >= self._limit

    @property
    def has_room(self) -> bool:
        """Return whether few operations that the client has completed are still running.

        They do not count toward the limit, so no further message is read while there are too many.
        """
        return self._abandoned < self._limit

    def add(self, operation: ActiveOperation) -> None:
        self._by_id[operation.id] = operation

    def remove(self, operation: ActiveOperation) -> None:
        del self._by_id[operation.id]

    async def run(
        self,
        operation: ActiveOperation,
        subscribe: Subscribe,
        runner: OperationRunner[C],
        *,
        caller: C | None,
        address: str | None,
    ) -> None:
        """Start the operation, and send its outcome."""
        try:
            outcome = await runner.start(subscribe.request, operation.deliver, caller=caller, address=address)
        except Exception:
            logger.exception("an operation failed to start")
            outcome = Rejected(
                messages.errors("An internal error occurred; report it with the request id.", "INTERNAL")
            )
        finally:
            operation.is_starting = False
            self._abandoned -= operation.is_abandoned
        operation.settle(outcome)

    def complete(self, id_: str) -> None:
        """Finish the operation. A mutation that has started is still carried out.

        An unknown id is not an error, because both sides may complete an operation at once.
        """
        operation = self._by_id.get(id_)
        if operation is not None:
            operation.finish()
            operation.is_abandoned = operation.is_starting
            self._abandoned += operation.is_abandoned

    def complete_all(self) -> None:
        """Finish all operations. Writes to the stores still run to completion, as over HTTP."""
        for operation in list(self._by_id.values()):
            operation.finish()
