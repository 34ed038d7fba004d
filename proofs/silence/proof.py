"""Stops a Valkey for a while under a steady load of holds, and judges how long people waited."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from domain.concerts import Concert
from domain.errors import OnsaleError, TemporarilyUnavailable
from domain.holds import TicketRequest
from domain.ids import PersonId
from domain.queues import NO_ROOM
from proofs.wait_until import wait_until
from proofs.waiting_room.shop import customer_context, new_key, open_concert, open_ready_stores
from resolvers import holds
from storage.connect import Stores
from storage.embedded.process import ServerProcess

PER_SECOND = 20
BEFORE_S = AFTER_S = 3.0
MAX_MEDIAN_S = 1.0
MAX_WAIT_S = 5.0
"""A call that was sent waits for one timeout. The rest is for a busy machine."""
BACK_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    asked_s: float
    took_s: float
    is_held: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answers to the holds that were asked for while the store was silent, and the stock."""

    during: Sequence[Answer]
    back_after_s: float | None
    held_by_answers: int
    unanswered: int
    held_in_store: int

    def rows(self) -> Iterator[tuple[str, str]]:
        waits = sorted(answer.took_s for answer in self.during)
        yield "holds asked for in the silence", f"{len(waits):,}"
        yield "median wait", f"{median(waits):.2f} s"
        yield "longest wait", f"{waits[-1]:.2f} s"
        yield "first hold after the return", "none" if self.back_after_s is None else f"{self.back_after_s:.2f} s"
        yield "held in the store", f"{self.held_in_store:,} ({self.held_by_answers:,} answered)"

    def violations(self) -> Iterator[str]:
        waits = [answer.took_s for answer in self.during]
        if median(waits) > MAX_MEDIAN_S:
            yield f"the median wait is {median(waits):.2f} s"
        if max(waits) > MAX_WAIT_S:
            yield f"the longest wait is {max(waits):.2f} s"
        if self.back_after_s is None:
            yield f"no hold succeeded within {BACK_WITHIN_S:.0f} s after the return"
        if not self.held_by_answers <= self.held_in_store <= self.held_by_answers + self.unanswered:
            yield f"{self.held_in_store} tickets are held, but {self.held_by_answers} holds were answered"


async def prove(valkey: ServerProcess, mongo_url: str, database: str, seconds: float) -> Outcome:
    async with open_ready_stores(valkey.url, mongo_url, database) as stores:
        concert = await open_concert(stores, NO_ROOM)
        load = _Load(stores, concert)
        running = asyncio.create_task(load.run())
        await asyncio.sleep(BEFORE_S)
        began_s = time.monotonic()
        os.kill(valkey.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            os.kill(valkey.pid, signal.SIGCONT)
        ended_s = time.monotonic()
        await wait_until(lambda: load.held_since(ended_s) is not None, within_s=BACK_WITHIN_S, poll_interval_s=0.01)
        await asyncio.sleep(AFTER_S)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await load.finish()
        first_s = load.held_since(ended_s)
        stock = await stores.holds.read_stock(concert)
        answers = load.answers
        return Outcome(
            during=[answer for answer in answers if began_s <= answer.asked_s < ended_s],
            back_after_s=None if first_s is None else first_s - ended_s,
            held_by_answers=sum(answer.is_held for answer in answers),
            unanswered=sum(not answer.is_held for answer in answers),
            held_in_store=sum(tier.held for tier in stock.tiers),
        )


class _Load:
    """Asks for one ticket at a steady rate, each time for another person."""

    def __init__(self, stores: Stores, concert: Concert) -> None:
        self.answers: list[Answer] = []
        self._stores = stores
        self._concert = concert
        self._asking = set[asyncio.Task[None]]()

    async def run(self) -> None:
        number = 0
        while True:
            task = asyncio.create_task(self._hold(PersonId(f"buyer{number}")))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
            number += 1
            await asyncio.sleep(1 / PER_SECOND)

    async def finish(self) -> None:
        """Wait for the answers that are still open."""
        await asyncio.gather(*self._asking)

    def held_since(self, time_s: float) -> float | None:
        """Return when the first hold that was asked for since then was answered."""
        held = [a.asked_s + a.took_s for a in self.answers if a.is_held and a.asked_s >= time_s]
        return min(held, default=None)

    async def _hold(self, person_id: PersonId) -> None:
        asked_s, is_held = time.monotonic(), False
        lines = (TicketRequest(self._concert.tiers[-1].id, 1),)
        try:
            await holds.hold_tickets(
                customer_context(self._stores, person_id), self._concert.id, lines, new_key(), None
            )
            is_held = True
        except TemporarilyUnavailable:
            pass
        except OnsaleError as error:
            raise RuntimeError("the proof cannot hold tickets") from error
        self.answers.append(Answer(asked_s, time.monotonic() - asked_s, is_held))
