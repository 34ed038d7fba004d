"""The way of one person from arrival to a pass, by queue behavior, with the checks on the way."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from bench.sale.mutations import RefusedMutation
from bench.sale.people import STAYS_OUTSIDE, Person, QueueBehavior
from bench.sale.queue_client import EntryView, QueueClient, QueuePass
from bench.sale.stock_poller import StockPoller

SOONEST_S, LATEST_S = 4.0, 30.0
PLACES_A_SECOND = 80
"""A poller returns when the queue may have reached it:
400 ahead means 5 s, before a call expires.
"""

Stop = Callable[[EntryView], bool]


class QueueSession:
    def __init__(self, person: Person, token: str, line: QueueClient, stock_poller: StockPoller) -> None:
        self._person = person
        self._token = token
        self._line = line
        self._stock_poller = stock_poller
        self._book = line.ledger.line
        self._numbers: list[int] = []
        self._drops_s = [person.patience_s] * 3 if person.queue_behavior is QueueBehavior.LOSES_TOUCH else []

    async def get_pass(self) -> QueuePass | None:
        """Return a pass; None if this person does not want one or every ticket is sold."""
        while not self._stock_poller.is_sold_out:
            place = await self._join()
            if place is None:
                return None
            found = await self._stock_poller.unless_sold_out(self._wait(place))
            if isinstance(found, QueuePass):
                return found
            if self._person.queue_behavior in STAYS_OUTSIDE:
                return None
        return None

    async def leave(self) -> None:
        """Give the pass back by leaving the queue."""
        answer = await self._line.leave(token=self._token)
        if isinstance(answer, RefusedMutation) or not answer.is_over:
            self._surprise(f"a pass given back was answered with {answer}")
        elif answer.state == "LEFT":
            self._book.left.add(answer.number)

    def take_foreign_pass(self) -> str | None:
        stolen = (token for name, token in self._line.passes_seen.items() if name != self._person.name)
        return next(stolen, None)

    async def _join(self) -> EntryView | None:
        twice = self._person.queue_behavior is QueueBehavior.TWO_DEVICES
        answers = await asyncio.gather(*(self._line.join(token=self._token) for _ in range(1 + twice)))
        for answer in answers:
            if isinstance(answer, RefusedMutation):
                self._surprise(f"a join was answered with {answer}")
                return None
        places = [answer for answer in answers if isinstance(answer, EntryView)]
        if len({place.number for place in places}) > 1:
            self._surprise(f"two devices got two numbers: {places}")
        if self._numbers and places[0].number < self._numbers[-1]:
            self._surprise(f"a new place has number {places[0].number}, not behind {self._numbers}")
        self._numbers.append(places[0].number)
        return places[0]

    async def _wait(self, place: EntryView) -> QueuePass | None:
        """Wait for the call and return the pass; None if the entry is over."""
        ways: dict[QueueBehavior, Callable[[EntryView], Awaitable[QueuePass | None]]] = {
            QueueBehavior.TWO_DEVICES: self._wait_on_two_devices,
            QueueBehavior.PUSHES_IN: self._push_in,
            QueueBehavior.CLAIMS_LATE: self._claim_late,
            QueueBehavior.NEVER_CLAIMS: self._let_it_lapse,
            QueueBehavior.LEAVES: self._leave,
            QueueBehavior.WALKS_OFF: self._walk_off,
        }
        return await ways.get(self._person.queue_behavior, self._wait_and_claim)(place)

    async def _wait_and_claim(self, place: EntryView) -> QueuePass | None:
        seen = await self._stay(place, _was_called)
        return await self._claim() if _is_inside(seen) else None

    async def _wait_on_two_devices(self, place: EntryView) -> QueuePass | None:
        seen = await asyncio.gather(*(self._stay(place, _was_called) for _ in range(2)))
        if not all(_is_inside(each) for each in seen):
            return None
        first, second = await asyncio.gather(self._claim(), self._claim())
        if first and second and first.token != second.token:
            self._surprise("two devices got two passes for one number")
        return first or second

    async def _push_in(self, place: EntryView) -> QueuePass | None:
        """Try to claim before the call; `visit` tries the invalid passes."""
        answer = await self._line.claim(self._person.name, token=self._token)
        if isinstance(answer, QueuePass):
            return answer  # called at once
        if answer.code not in ("NOT_ADMITTED", "NOT_IN_QUEUE"):
            self._surprise(f"a claim before the call was answered with {answer}")
        return await self._wait_and_claim(place)

    async def _claim_late(self, place: EntryView) -> QueuePass | None:
        if len(self._numbers) > 1:
            return await self._wait_and_claim(place)
        await self._let_it_lapse(place)
        answer = await self._line.claim(self._person.name, token=self._token)
        if not isinstance(answer, RefusedMutation) or answer.code != "NOT_IN_QUEUE":
            self._surprise(f"a claim after the call had lapsed was answered with {answer}")
        return None

    async def _let_it_lapse(self, place: EntryView) -> None:
        await self._stay(place, lambda seen: seen.is_over)

    async def _leave(self, place: EntryView) -> None:
        """Leave while watching, so that the end of the entry is pushed to some of these people."""
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._stay(place, lambda seen: seen.is_over))
            await asyncio.sleep(self._person.patience_s)
            answer = await self._line.leave(token=self._token)
            if isinstance(answer, RefusedMutation) or not answer.is_over:
                self._surprise(f"a place given up was answered with {answer}")
                watching.cancel()
            self._book.left.add(place.number)

    async def _walk_off(self, place: EntryView) -> None:
        self._book.left.add(place.number)

    async def _claim(self) -> QueuePass | None:
        answer = await self._line.claim(self._person.name, token=self._token)
        if isinstance(answer, QueuePass):
            return answer
        if answer.code != "NOT_IN_QUEUE":
            self._surprise(f"a claim after the call was answered with {answer}")
        self._book.lapsed.add(self._numbers[-1])  # the push of the call came too late
        return None

    async def _stay(self, place: EntryView, stop: Stop) -> EntryView:
        """Wait until `stop` or the end of the entry; record an expired entry."""
        if self._person.queue_behavior is QueueBehavior.ASKS or self._line.is_crowded:
            seen = await self._ask(place, stop)
        else:
            seen = await self._watch(place, stop)
        if seen.state == "EXPIRED":
            self._line.observations.expired[seen.number] = self._person.name
        return seen

    async def _watch(self, place: EntryView, stop: Stop) -> EntryView:
        drops_s, self._drops_s = self._drops_s, []
        pushes = self._line.positions(self._person.name, token=self._token, drops_after_s=drops_s)
        async with aclosing(pushes):
            async for seen in pushes:
                if seen.number != place.number:
                    self._surprise(f"number {place.number} was pushed as {seen}")
                if stop(seen) or seen.is_over:
                    return seen
        self._surprise(f"the positions of number {place.number} ended before the place")
        return place

    async def _ask(self, place: EntryView, stop: Stop) -> EntryView:
        seen, turn = place, 0
        while not (stop(seen) or seen.is_over):
            await asyncio.sleep(min(max((seen.position or 0) / PLACES_A_SECOND, SOONEST_S), LATEST_S))
            turn += 1
            question = self._line.heartbeat if turn % 3 and seen.is_waiting else self._line.ask
            answer = await question(token=self._token)
            if isinstance(answer, EntryView):
                seen = answer
            elif answer.code != "NOT_IN_QUEUE":
                self._surprise(f"a question about number {place.number} was answered with {answer}")
                return seen
        return seen

    def _surprise(self, text: str) -> None:
        self._line.ledger.surprises.append(f"{self._person.name}: {text}")


def is_good(queue_pass: QueuePass, *, for_s: float = 0.0) -> bool:
    return time.monotonic() + for_s < queue_pass.good_until_s


def _was_called(place: EntryView) -> bool:
    return not place.is_waiting


def _is_inside(place: EntryView) -> bool:
    return place.state in ("READY", "ADMITTED")
