"""The operations of one connection by id, with the newest unsent payloads of each subscription.

An operation is started in a task; a running subscription needs no task. A payload replaces an
unsent one with the same key, so a slow client skips to the newest state and memory stays bounded.
"""

import asyncio
import logging
from collections.abc import Callable, Hashable
from typing import Generic

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

logger = logging.getLogger(__name__)

MAX_KEYS = 100
"""The maximum number of keys in one subscription; a person has far fewer holds."""


class LatestValue:
    """The newest payload for each key; the key that changed least recently comes first."""

    __slots__ = ("_is_last", "_payloads")

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
        self._payloads.pop(rendered.key, None)
        self._payloads[rendered.key] = rendered.payload
        self._is_last = rendered.is_last

    def pop(self) -> bytes | None:
        """Remove and return the oldest payload, or return None if no payload is left."""
        return self._payloads.pop(next(iter(self._payloads))) if self._payloads else None

    def clear(self) -> None:
        self._payloads.clear()


class ActiveOperation:
    """One operation, from subscribe to its last message. Its id can be reused after it ends."""

    __slots__ = ("_handle", "_on_finished", "has_ended", "id", "latest")

    def __init__(self, id_: str, on_finished: Callable[["ActiveOperation"], None]) -> None:
        self.id = id_
        self.has_ended = False
        self.latest = LatestValue()
        self._on_finished = on_finished
        self._handle: SubscriptionHandle | None = None

    def set_handle(self, handle: SubscriptionHandle) -> None:
        """Store the handle, or close it if the operation ended while it was being started."""
        if self.has_ended:
            handle.close()
        else:
            self._handle = handle

    def next_message(self) -> str | None:
        """Return the next message to send, or None if there is none now."""
        if self.has_ended:
            return None
        payload = self.latest.pop()
        if payload is not None:
            return messages.next_(self.id, payload)
        if self.latest.is_finished:
            self.finish()
            return messages.complete(self.id)
        return None

    def finish(self) -> None:
        if self.has_ended:
            return
        self.has_ended = True
        self.latest.clear()
        self._on_finished(self)
        if self._handle is not None:
            self._handle.close()
            self._handle = None


class ActiveOperations(Generic[C]):
    """Starts, completes and counts the operations of one connection.

    `on_overflow` is called if a client is so slow that even the newest payloads exceed MAX_KEYS.
    """

    def __init__(
        self,
        runner: OperationRunner[C],
        outbox: Outbox,
        tasks: asyncio.TaskGroup,
        *,
        address: str | None,
        limit: int,
        on_overflow: Callable[[], None],
    ) -> None:
        self._runner = runner
        self._outbox = outbox
        self._tasks = tasks
        self._address = address
        self._limit = limit
        self._on_overflow = on_overflow
        self._by_id: dict[str, ActiveOperation] = {}
        self._starting: set[ActiveOperation] = set()
        self._abandoned: set[ActiveOperation] = set()
        self._has_room = asyncio.Event()
        self._has_room.set()

    def __contains__(self, id_: str) -> bool:
        return id_ in self._by_id

    def start(self, subscribe: Subscribe, caller: C | None) -> None:
        if len(self._by_id) >= self._limit:
            message = f"{self._limit} operations are running on this socket; complete one first."
            self._outbox.put(messages.error(subscribe.id, messages.errors(message, "RATE_LIMITED")))
            return
        operation = self._by_id[subscribe.id] = ActiveOperation(subscribe.id, self._remove)
        self._starting.add(operation)
        self._tasks.create_task(self._run(operation, subscribe, caller))

    def complete(self, id_: str) -> None:
        """Finish the operation. A mutation that has started is still carried out.

        An unknown id is not an error, because both sides may complete an operation at once.
        """
        operation = self._by_id.get(id_)
        if operation is not None:
            operation.finish()
            if operation in self._starting:
                self._abandoned.add(operation)
                self._update_room()

    async def wait_for_room(self) -> None:
        """Wait while too many operations that the client has completed are still running.

        They do not count toward the operation limit, so no further message is read in the meantime.
        """
        await self._has_room.wait()

    def complete_all(self) -> None:
        """Finish all operations. Writes to the stores still run to completion, as over HTTP."""
        for operation in list(self._by_id.values()):
            operation.finish()

    def _update_room(self) -> None:
        if len(self._abandoned) < self._limit:
            self._has_room.set()
        else:
            self._has_room.clear()

    def _remove(self, operation: ActiveOperation) -> None:
        del self._by_id[operation.id]

    async def _run(self, operation: ActiveOperation, subscribe: Subscribe, caller: C | None) -> None:
        def deliver(rendered: Rendered) -> None:
            if operation.has_ended:
                return
            operation.latest.put(rendered)
            self._outbox.mark_changed(operation)
            if operation.latest.is_full:
                self._on_overflow()

        try:
            outcome = await self._runner.start(subscribe.request, deliver, caller=caller, address=self._address)
        except Exception:
            logger.exception("an operation failed to start")
            outcome = Rejected(
                messages.errors("An internal error occurred; report it with the request id.", "INTERNAL")
            )
        finally:
            self._starting.discard(operation)
            self._abandoned.discard(operation)
            self._update_room()
        self._settle(operation, outcome)

    def _settle(self, operation: ActiveOperation, outcome: Outcome) -> None:
        match outcome:
            case Answered() | Rejected() | Ended() if operation.has_ended:
                pass
            case Answered():
                operation.finish()
                self._outbox.put(messages.next_(operation.id, outcome.payload), messages.complete(operation.id))
            case Ended():
                operation.finish()
                self._outbox.put(messages.complete(operation.id))
            case Rejected():
                operation.finish()
                self._outbox.put(messages.error(operation.id, outcome.errors))
            case handle:
                operation.set_handle(handle)
