"""Simulates one person in the queue, from joining to claiming, and checks every answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from bench.clients.mutations import RefusedMutation
from bench.clients.queue_client import EntryView, QueueClient, QueuePass
from proofs.sale.buyers.people import NEVER_ADMITTED, Person, QueueBehavior
from proofs.sale.buyers.stock_poller import StockPoller

MIN_POLL_INTERVAL_S, MAX_POLL_INTERVAL_S = 4.0, 30.0
POSITIONS_PER_S = 80
"""The assumed speed of the queue: a person at position 400 polls again after 5 s."""

Stop = Callable[[EntryView], bool]


class QueueSession:
    def __init__(self, person: Person, token: str, queue: QueueClient, stock_poller: StockPoller) -> None:
        self._person = person
        self._token = token
        self._queue = queue
        self._stock_poller = stock_poller
        self._record = queue.ledger.queue
        self._numbers: list[int] = []
        self._drops_s = [person.patience_s] * 3 if person.queue_behavior is QueueBehavior.RECONNECTS else []

    async def get_pass(self) -> QueuePass | None:
        """Join the queue and return a pass; None if the person gives up or every ticket is sold."""
        while not self._stock_poller.is_sold_out:
            entry = await self._join()
            if entry is None:
                return None
            found = await self._stock_poller.unless_sold_out(self._wait(entry))
            if isinstance(found, QueuePass):
                return found
            if self._person.queue_behavior in NEVER_ADMITTED:
                return None
        return None

    async def return_pass(self) -> None:
        """Return the pass by leaving the queue."""
        answer = await self._queue.leave(token=self._token)
        if isinstance(answer, RefusedMutation) or not answer.is_over:
            self._surprise(f"the return of a pass was answered with {answer}")
        elif answer.state == "LEFT":
            self._record.left.add(answer.number)

    def find_stolen_pass(self) -> str | None:
        """Return a pass that another person has claimed, or None if there is none yet."""
        others = (token for name, token in self._queue.claimed_passes.items() if name != self._person.name)
        return next(others, None)

    async def _join(self) -> EntryView | None:
        twice = self._person.queue_behavior is QueueBehavior.TWO_DEVICES
        answers = await asyncio.gather(*(self._queue.join(token=self._token) for _ in range(1 + twice)))
        for answer in answers:
            if isinstance(answer, RefusedMutation):
                self._surprise(f"a join was answered with {answer}")
                return None
        entries = [answer for answer in answers if isinstance(answer, EntryView)]
        if len({entry.number for entry in entries}) > 1:
            self._surprise(f"two devices got two numbers: {entries}")
        if self._numbers and entries[0].number < self._numbers[-1]:
            self._surprise(f"a new entry has number {entries[0].number}, not behind {self._numbers}")
        self._numbers.append(entries[0].number)
        return entries[0]

    async def _wait(self, entry: EntryView) -> QueuePass | None:
        """Wait for the call and return the pass, or None if the entry has ended."""
        actions: dict[QueueBehavior, Callable[[EntryView], Awaitable[QueuePass | None]]] = {
            QueueBehavior.TWO_DEVICES: self._wait_on_two_devices,
            QueueBehavior.CHEATS: self._claim_early,
            QueueBehavior.CLAIMS_LATE: self._claim_late,
            QueueBehavior.NEVER_CLAIMS: self._let_call_expire,
            QueueBehavior.LEAVES: self._leave,
            QueueBehavior.DISAPPEARS: self._disappear,
        }
        return await actions.get(self._person.queue_behavior, self._wait_and_claim)(entry)

    async def _wait_and_claim(self, entry: EntryView) -> QueuePass | None:
        latest = await self._stay(entry, _was_called)
        return await self._claim() if _is_inside(latest) else None

    async def _wait_on_two_devices(self, entry: EntryView) -> QueuePass | None:
        latest = await asyncio.gather(*(self._stay(entry, _was_called) for _ in range(2)))
        if not all(_is_inside(each) for each in latest):
            return None
        first, second = await asyncio.gather(self._claim(), self._claim())
        if first and second and first.token != second.token:
            self._surprise("two devices got two passes for one number")
        return first or second

    async def _claim_early(self, entry: EntryView) -> QueuePass | None:
        """Try to claim a pass before the call. (`Buyer` tries invalid passes.)"""
        answer = await self._queue.claim(self._person.name, token=self._token)
        if isinstance(answer, QueuePass):
            return answer  # The person was called immediately.
        if answer.code not in ("NOT_ADMITTED", "NOT_IN_QUEUE"):
            self._surprise(f"a claim before the call was answered with {answer}")
        return await self._wait_and_claim(entry)

    async def _claim_late(self, entry: EntryView) -> QueuePass | None:
        if len(self._numbers) > 1:
            return await self._wait_and_claim(entry)
        await self._let_call_expire(entry)
        answer = await self._queue.claim(self._person.name, token=self._token)
        if not isinstance(answer, RefusedMutation) or answer.code != "NOT_IN_QUEUE":
            self._surprise(f"a claim after the call had expired was answered with {answer}")
        return None

    async def _let_call_expire(self, entry: EntryView) -> None:
        await self._stay(entry, lambda latest: latest.is_over)

    async def _leave(self, entry: EntryView) -> None:
        """Leave the queue while a subscription is open, so that the subscription can show the end
        of the entry.
        """
        async with asyncio.TaskGroup() as group:
            subscribed = group.create_task(self._stay(entry, lambda latest: latest.is_over))
            await asyncio.sleep(self._person.patience_s)
            answer = await self._queue.leave(token=self._token)
            if isinstance(answer, RefusedMutation) or not answer.is_over:
                self._surprise(f"a request to leave was answered with {answer}")
                subscribed.cancel()
            self._record.left.add(entry.number)

    async def _disappear(self, entry: EntryView) -> None:
        self._record.left.add(entry.number)

    async def _claim(self) -> QueuePass | None:
        answer = await self._queue.claim(self._person.name, token=self._token)
        if isinstance(answer, QueuePass):
            return answer
        if answer.code != "NOT_IN_QUEUE":
            self._surprise(f"a claim after the call was answered with {answer}")
        self._record.expired.add(self._numbers[-1])  # The person learned of the call too late.
        return None

    async def _stay(self, entry: EntryView, stop: Stop) -> EntryView:
        """Wait until `stop` is true or the entry ends, and return the entry.

        Records an entry that expires.
        """
        if self._person.queue_behavior is QueueBehavior.POLLS or self._queue.is_full:
            last = await self._poll(entry, stop)
        else:
            last = await self._subscribe(entry, stop)
        if last.state == "EXPIRED":
            self._queue.observations.expired[last.number] = self._person.name
        return last

    async def _subscribe(self, entry: EntryView, stop: Stop) -> EntryView:
        drops_s, self._drops_s = self._drops_s, []
        pushes = self._queue.positions(self._person.name, token=self._token, drops_after_s=drops_s)
        async with aclosing(pushes):
            async for latest in pushes:
                if latest.number != entry.number:
                    self._surprise(f"number {entry.number} was pushed as {latest}")
                if stop(latest) or latest.is_over:
                    return latest
        self._surprise(f"the positions of number {entry.number} ended before the entry")
        return entry

    async def _poll(self, entry: EntryView, stop: Stop) -> EntryView:
        latest, turn = entry, 0
        while not (stop(latest) or latest.is_over):
            await asyncio.sleep(
                min(max((latest.position or 0) / POSITIONS_PER_S, MIN_POLL_INTERVAL_S), MAX_POLL_INTERVAL_S)
            )
            turn += 1
            request = self._queue.heartbeat if turn % 3 and latest.is_waiting else self._queue.read_entry
            answer = await request(token=self._token)
            if isinstance(answer, EntryView):
                latest = answer
            elif answer.code != "NOT_IN_QUEUE":
                self._surprise(f"a poll of number {entry.number} was answered with {answer}")
                return latest
        return latest

    def _surprise(self, text: str) -> None:
        self._queue.ledger.surprises.append(f"{self._person.name}: {text}")


def is_valid(queue_pass: QueuePass, *, for_s: float = 0.0) -> bool:
    return time.monotonic() + for_s < queue_pass.good_until_s


def _was_called(entry: EntryView) -> bool:
    return not entry.is_waiting


def _is_inside(entry: EntryView) -> bool:
    return entry.state in ("READY", "ADMITTED")
