"""Sends concurrent calls in groups, so that many calls share one command.

A group is sent as soon as one of the senders is free; calls that arrive in the meantime form the
next group. Every call gets its own answer.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class GroupedCalls(Generic[Item, Answer]):
    """Owns the senders, which run until `aclose`.

    `send` takes a group and returns one answer per item, in the same order. `unanswered` turns the
    reason into the answer to a call whose group failed or was interrupted.
    """

    def __init__(
        self,
        send: Callable[[list[Item]], Awaitable[Sequence[Answer]]],
        unanswered: Callable[[str], Answer],
        *,
        senders: int,
        max_group: int,
    ) -> None:
        self._send_group = send
        self._unanswered = unanswered
        self._max_group = max_group
        self._waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._wake = asyncio.Event()
        self._senders = [asyncio.create_task(self._send()) for _ in range(senders)]

    @property
    def waiting_count(self) -> int:
        """Return the number of calls that are not being sent yet."""
        return len(self._waiting)

    async def call(self, item: Item) -> Answer:
        """Send an item with the next group, and return its answer."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        self._wake.set()
        return await answer

    async def aclose(self) -> None:
        for sender in self._senders:
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        self._fail([answer for _, answer in self._waiting], "this server is stopping")

    async def _send(self) -> None:
        while True:
            await self._wake.wait()
            # Let calls that arrive later in this event loop iteration join the group.
            await asyncio.sleep(0)
            group = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._max_group))]
            if not self._waiting:
                self._wake.clear()
            if group:
                await self._answer(group)

    async def _answer(self, group: list[tuple[Item, "asyncio.Future[Answer]"]]) -> None:
        futures = [future for _, future in group]
        why = "this server is stopping"
        try:
            answers = await self._send_group([item for item, _ in group])
            for future, answer in zip(futures, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
        except Exception as error:
            # A sender must survive every error; the outcome of the group is unknown.
            why = f"{type(error).__name__}: {error}"
        finally:
            self._fail(futures, why)

    def _fail(self, futures: Sequence["asyncio.Future[Answer]"], why: str) -> None:
        for future in futures:
            if not future.done():
                future.set_result(self._unanswered(why))
