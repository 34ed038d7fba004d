"""Sends events as webhooks, signed in Stripe's format, and repeats them for three days until the
receiver accepts them.

Deliveries are due by the clock of the sandbox. Their signatures carry the time of this machine,
because the receiver compares it with its own clock.
"""

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass

import orjson

from payments.sandbox.database import NotSaved
from payments.sandbox.records import Records
from payments.sandbox.webhooks.connection import ConnectionFailed, WebhookConnection
from payments.sandbox.webhooks.signing import sign

MAX_CONNECTIONS = 16
"""The number of webhooks under way at once. All others wait in the database."""
TIMEOUT_S = 20.0
GIVE_UP_AFTER_S = 3 * 86_400.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 12 * 3_600.0
MAX_WAIT_S = 60.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    number: int
    event: str
    tries: int
    first_at: float


class WebhookSender:
    """Sends due webhooks. `wake` says that more may be due now."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._changed = asyncio.Event()
        self._idle: list[WebhookConnection] = []
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self.is_paused = False

    def wake(self) -> None:
        self._changed.set()

    async def run(self) -> None:
        try:
            while True:
                self._changed.clear()
                self._start_due()
                await self._wait()
        finally:
            await self._stop()

    def _start_due(self) -> None:
        free = MAX_CONNECTIONS - len(self._under_way)
        if free <= 0 or self.is_paused or self._records.endpoint.url is None:
            return
        rows = self._records.database.read(
            "SELECT number, event, tries, first_at FROM deliveries WHERE due_at <= ? ORDER BY due_at, number LIMIT ?",
            (self._records.clock.now(), MAX_CONNECTIONS),
        )
        for number, event, tries, first_at in rows:
            assert isinstance(number, int)
            assert isinstance(tries, int)
            assert isinstance(first_at, float)
            if number not in self._under_way and len(self._under_way) < MAX_CONNECTIONS:
                task = asyncio.create_task(self._deliver(Delivery(number, str(event), tries, first_at)))
                self._under_way[number] = task

    async def _wait(self) -> None:
        wait_s = MAX_WAIT_S
        if len(self._under_way) < MAX_CONNECTIONS and not self.is_paused:
            statement = "SELECT due_at FROM deliveries ORDER BY due_at, number LIMIT 1 OFFSET ?"
            rows = self._records.database.read(statement, (len(self._under_way),))
            if rows and self._records.endpoint.url is not None:
                assert isinstance(rows[0][0], float)
                wait_s = min(max(rows[0][0] - self._records.clock.now(), 0.01), MAX_WAIT_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._changed.wait()

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            # An event must not be sent before it is on disk.
            await self._records.database.saved()
            problem = await self._send(delivery)
            self._record(delivery, problem)
            await self._records.database.saved()
        except NotSaved:
            logger.warning("The delivery of %s was not recorded; it is sent again.", delivery.event)
        finally:
            self._under_way.pop(delivery.number, None)
            self.wake()

    async def _send(self, delivery: Delivery) -> str:
        """Send a webhook, and return what went wrong, or an empty string."""
        endpoint = self._records.endpoint
        event = self._records.find("event", delivery.event)
        if endpoint.url is None or event is None:
            return "no receiver"
        body = orjson.dumps(event, option=orjson.OPT_INDENT_2)  # Stripe indents events
        connection = self._idle.pop() if self._idle else WebhookConnection(endpoint.url)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                status = await connection.post(body, sign(body, endpoint.secret, int(time.time())))
        except TimeoutError:
            return f"no answer within {TIMEOUT_S:.0f} s"
        except ConnectionFailed as error:
            return str(error)
        if endpoint.url == self._records.endpoint.url:
            self._idle.append(connection)
        else:
            connection.close()
        return "" if 200 <= status < 300 else f"status {status}"

    def _record(self, delivery: Delivery, problem: str) -> None:
        """Remove a delivery that succeeded or is given up; schedule the next attempt for any
        other.
        """
        now = self._records.clock.now()
        database = self._records.database
        if not problem or now - delivery.first_at > GIVE_UP_AFTER_S:
            database.write("DELETE FROM deliveries WHERE number = ?", (delivery.number,))
            return
        pause_s = min(FIRST_PAUSE_S * 2 ** min(delivery.tries, 30), LONGEST_PAUSE_S)
        # The last attempt is the first one after the three days.
        due_at = now + pause_s
        database.write(
            "UPDATE deliveries SET tries = tries + 1, due_at = ?, problem = ? WHERE number = ?",
            (due_at, problem, delivery.number),
        )
        logger.info("The webhook %s was not accepted (%s); next try in %.0f s.", delivery.event, problem, pause_s)

    def change_receiver(self) -> None:
        """Close the idle connections to the previous receiver."""
        while self._idle:
            self._idle.pop().close()

    async def _stop(self) -> None:
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.change_receiver()
