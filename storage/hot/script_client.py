"""The client for the hot store. Calls made in the same event loop iteration share one round trip
and one fsync.

Calls wait in one bounded queue, from which two pipelines, each with one connection, take batches
(pipeline.py).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId
from storage.hot.pipeline import Call, IncarnationSeen, Pipeline
from storage.hot.resp import Arg
from storage.keys import concert_keys, concert_of_key
from storage.scripts import READ_STORE, Script
from storage.silence import SilenceWatch
from telemetry import traces

PIPELINES = 2
"""With only one pipeline, a long recovery would delay every hold.

With more than two, fsyncs would be smaller and more frequent.
"""
MAX_BATCH = 512
MAX_CALLS_PER_RUN = 64
"""How many calls one run of a script may take, if it takes several. The store does nothing else in
the meantime: about a millisecond for holds.
"""
MAX_UNITS = 2_000
"""How many units of stock the holds of one batch may take, unless it is a single hold. A thousand
units take the store one to two milliseconds, in which it does nothing else.
"""
MAX_WAITING = 20_000
"""About half a second of work for the store. Beyond this limit, calls raise TemporarilyUnavailable.
"""
TIMEOUT_S = 3.0

Reply = list[bytes | int]


class ScriptClient:
    """A client that owns its pipelines and connections; `aclose` closes them, and waiting calls
    fail.

    Calls of a script that takes several, for one concert, share its runs.
    """

    def __init__(self, url: str, *, max_calls_per_run: int = MAX_CALLS_PER_RUN) -> None:
        # redis-py's own retries are off, because they resend old bytes to a new server, which once
        # sold units twice.
        retry = Retry(NoBackoff(), 0)
        self._pool = ConnectionPool.from_url(
            url,
            max_connections=1,
            retry=retry,
            protocol=2,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            client_name="onsale",
        )
        self._command_lock = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Call] = deque()
        self._is_batch_due = False
        self._is_closed = False
        self._refusal: str | None = None
        self._incarnation_seen = seen = IncarnationSeen()
        self._pipelines = [
            Pipeline(self._make_connection, seen, self._pipeline_is_idle, max_calls_per_run=max_calls_per_run)
            for _ in range(PIPELINES)
        ]
        self._is_superseded: Callable[[ConcertId], bool] = lambda _: False
        self._silence = SilenceWatch(self._pipelines, on_silence=self._refuse_waiting)

    @property
    def incarnation(self) -> str:
        """The incarnation of the store that was seen last, or an empty string before the first."""
        return self._incarnation_seen.last_seen

    def refuse_if(self, is_superseded: Callable[[ConcertId], bool]) -> None:
        """Refuse calls for a concert while this is true, except those of recoveries."""
        self._is_superseded = is_superseded

    def refuse_calls(self, reason: str | None) -> None:
        """Refuse all calls but those that read the store's layout, until `reason` is None."""
        self._refusal = reason

    async def call(self, script: Script, concert_id: ConcertId, *args: Arg) -> tuple[str, Reply]:
        """Call a script for a concert. Return the word of its reply and the values after it.

        Raises TemporarilyUnavailable if the store cannot be reached or is overloaded, or if another
        store has taken over the concert; and ScriptReplyError for a word that the script's header
        does not declare.
        """
        reply = await self.send_for(concert_id, script, args)
        return script.decode_word(reply.pop(0)), reply

    async def call_with_keys(self, script: Script, keys: tuple[str, ...], *args: Arg) -> tuple[str, Reply]:
        """Call a script whose keys do not belong to a concert. `call` describes the reply and the
        errors.
        """
        reply = await self.send(script, keys, args)
        return script.decode_word(reply.pop(0)), reply

    def send_for(
        self, concert_id: ConcertId, script: Script, args: Sequence[Arg], *, units: int = 0
    ) -> "asyncio.Future[list[Any]]":
        """Send a call for a concert as `send` does. `units` is how many units it may take."""
        if self._is_superseded(concert_id) and not script.is_for_recovery(args):
            raise TemporarilyUnavailable("Another stock store has taken over this concert", retry_after_s=2)
        return self.send(script, concert_keys(concert_id), args, units=units)

    def send(
        self, script: Script, keys: tuple[str, ...], args: Sequence[Arg], *, units: int = 0
    ) -> "asyncio.Future[list[Any]]":
        """Send a call with the next batch. Return a future of its reply, with the word as bytes.

        Raises TemporarilyUnavailable, as the future may.
        """
        if self._is_closed:
            raise TemporarilyUnavailable("This server is stopping")
        if self._refusal is not None and script is not READ_STORE:
            raise TemporarilyUnavailable(self._refusal)
        if self._silence.is_silent:
            raise self._silence.refusal()
        if len(self._waiting) >= MAX_WAITING:
            raise TemporarilyUnavailable("Too many requests are waiting for the stock store")
        call = Call(script, keys, args, self._loop.create_future(), units)
        if traces.active is not None:
            _trace(traces.active, call)
        self._waiting.append(call)
        self._schedule_batch()
        return call.answer

    async def run_command(self, *command: str | bytes) -> Any:
        """Run one plain command that is not part of a sale, and return its reply."""
        async with self._command_lock:
            connection = await self._pool.get_connection()
            try:
                await connection.send_command(*command)
                return await connection.read_response()
            finally:
                await self._pool.release(connection)

    async def aclose(self) -> None:
        self._is_closed = True
        self._silence.close()
        for pipeline in self._pipelines:
            await pipeline.aclose()
        while self._waiting:
            self._waiting.popleft().fail(TemporarilyUnavailable("This server is stopping"))
        await self._pool.aclose()

    def _make_connection(self) -> AbstractConnection:
        return cast(AbstractConnection, self._pool.make_connection())

    def _schedule_batch(self) -> None:
        """Start a batch in the next event loop iteration, so that calls made until then join it."""
        if not self._is_batch_due:
            self._is_batch_due = True
            self._loop.call_soon(self._start_batches)

    def _start_batches(self) -> None:
        self._is_batch_due = False
        for pipeline in self._pipelines:
            if self._waiting and pipeline.is_idle and not self._is_closed:
                pipeline.start(self._take_batch())
                self._silence.batch_started()

    def _take_batch(self) -> list[Call]:
        """Take the calls of the next batch, at least one."""
        waiting = self._waiting
        batch = [waiting.popleft()]
        units = batch[0].units
        while waiting and len(batch) < MAX_BATCH:
            units += waiting[0].units
            if units > MAX_UNITS:
                break
            batch.append(waiting.popleft())
        return batch

    def _pipeline_is_idle(self, again: list[Call]) -> None:
        self._waiting.extendleft(reversed(again))
        self._silence.batch_ended()
        if self._silence.is_silent:
            self._refuse_waiting()
        elif self._waiting:
            self._schedule_batch()

    def _refuse_waiting(self) -> None:
        while self._waiting:
            self._waiting.popleft().fail(self._silence.refusal())


def _trace(tracing: traces.Tracing, call: Call) -> None:
    """Trace the call if it belongs to a trace, until it is answered."""
    concert_id, script = concert_of_key(call.keys[0]), call.script.name
    attributes = {"db.system.name": "redis", "onsale.script": script}
    if concert_id is not None:
        attributes[traces.CONCERT_ID] = concert_id
    span = tracing.begin_call(f"redis {script}", attributes)
    if span is not None:
        call.span = span
        call.answer.add_done_callback(partial(_end, span))


def _end(span: traces.Span, answer: "asyncio.Future[list[Any]]") -> None:
    if answer.cancelled():
        span.fail("canceled")
    elif (error := answer.exception()) is not None:
        span.fail(type(error).__name__)
    else:
        # This runs before the caller, which removes the word from the reply.
        span.set({"onsale.reply": str(answer.result()[0], "ascii")})
    span.end()
