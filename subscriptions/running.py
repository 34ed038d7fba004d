"""The operations of one socket by their ids. Each is started in a task, and a subscription needs none from then on."""

import asyncio
import logging
from collections.abc import Callable
from typing import Generic

from subscriptions import messages
from subscriptions.live import Live
from subscriptions.messages import Subscribe
from subscriptions.operations import Answered, C, Operations, Outcome, Rejected
from subscriptions.outbox import Outbox
from subscriptions.sources import Rendered

logger = logging.getLogger(__name__)


class Running(Generic[C]):
    """`on_overflow` is called when a reader is so slow that not even the newest states fit."""

    def __init__(
        self,
        operations: Operations[C],
        outbox: Outbox,
        tasks: asyncio.TaskGroup,
        *,
        address: str | None,
        most: int,
        on_overflow: Callable[[], None],
    ) -> None:
        self._operations = operations
        self._outbox = outbox
        self._tasks = tasks
        self._address = address
        self._most = most
        self._on_overflow = on_overflow
        self._lives: dict[str, Live] = {}
        self._starting = 0

    def __contains__(self, id_: str) -> bool:
        return id_ in self._lives

    def start(self, subscribe: Subscribe, caller: C | None) -> None:
        # What a client gave up may still be running.
        if max(len(self._lives), self._starting) >= self._most:
            message = f"{self._most} operations are running on this socket; complete one first."
            self._outbox.put(messages.error(subscribe.id, messages.errors(message, "RATE_LIMITED")))
            return
        live = self._lives[subscribe.id] = Live(subscribe.id, self._forget)
        self._starting += 1
        self._tasks.create_task(self._run(live, subscribe, caller))

    def complete(self, id_: str) -> None:
        """Nobody knowing the id is fine: both sides may complete at once."""
        live = self._lives.get(id_)
        if live is not None:
            live.finish()

    def complete_all(self) -> None:
        """What is being written to stores goes on to its end, as over HTTP; nobody hears of it."""
        for live in list(self._lives.values()):
            live.finish()

    def _forget(self, live: Live) -> None:
        del self._lives[live.id]

    async def _run(self, live: Live, subscribe: Subscribe, caller: C | None) -> None:
        def deliver(rendered: Rendered) -> None:
            if live.is_over:
                return
            live.newest.show(rendered)
            self._outbox.mark(live)
            if live.newest.is_full:
                self._on_overflow()

        try:
            outcome = await self._operations.start(subscribe.asked, deliver, caller=caller, address=self._address)
        except Exception:
            logger.exception("an operation failed to start")
            outcome = Rejected(messages.errors("Something went wrong on our side.", "INTERNAL"))
        finally:
            self._starting -= 1
        self._settle(live, outcome)

    def _settle(self, live: Live, outcome: Outcome) -> None:
        match outcome:
            case Answered() | Rejected() if live.is_over:
                pass
            case Answered():
                live.finish()
                self._outbox.put(messages.next_(live.id, outcome.payload), messages.complete(live.id))
            case Rejected():
                live.finish()
                self._outbox.put(messages.error(live.id, outcome.errors))
            case watch:
                live.attach(watch)
