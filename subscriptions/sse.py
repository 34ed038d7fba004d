"""GraphQL over server-sent events in distinct connections mode: one operation per HTTP response.

The stream ends with `complete`, even after errors. It ends without `complete` if the client
disconnects or does not read, or if this process stops.
"""

import asyncio
import time

from starlette.types import Receive, Send

from domain.errors import SessionLost, TemporarilyUnavailable, Unauthenticated
from subscriptions.interfaces import Answered, Ended, Outcome, Recheck, Rejected, Rendered
from subscriptions.sockets import messages
from subscriptions.sockets.active_operations import LatestValue
from subscriptions.sockets.caller_connections import refusal_of
from subscriptions.sockets.limits import Limits

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"private, no-store"),
    (b"vary", b"Accept, Cookie, Authorization"),
    (b"x-accel-buffering", b"no"),  # nginx would buffer events
]
_HEARTBEAT_COMMENT = b":\n\n"
# Browsers do not dispatch an event without a data line.
_COMPLETE = b"event: complete\ndata: \n\n"
_EXPIRED = "The access token has expired; reconnect with a new one."
_NEVER = float("inf")


class EventStream:
    """One event stream.

    Pass `deliver` to the code that starts the operation, and the operation's outcome to `serve`.
    """

    def __init__(self, limits: Limits, *, expires_at: float | None, recheck: Recheck | None = None) -> None:
        """Create the stream.

        `expires_at` is the token's expiry in Unix seconds; `recheck` checks a session again.
        """
        self._limits = limits
        self._clock = asyncio.get_running_loop().time
        self._expires_s = _NEVER if expires_at is None else self._clock() + expires_at - time.time()
        self._recheck = recheck
        self._recheck_s = _NEVER if recheck is None else self._clock() + recheck.delay_s()
        self._latest = LatestValue()
        self._changed = asyncio.Event()
        self._is_stopped = False
        self.refusal: Unauthenticated | SessionLost | None = None
        """Set once the caller's token or session is no longer valid."""

    def deliver(self, rendered: Rendered) -> None:
        self._latest.put(rendered)
        self._is_stopped |= self._latest.is_full
        self._changed.set()

    def stop(self) -> None:
        """End the stream without `complete`, so the client may reconnect."""
        self._is_stopped = True
        self._changed.set()

    def end(self, reason: str) -> None:
        """End the stream with an error: the caller's token or session is no longer valid."""
        self.refusal = refusal_of(reason, of_session=self._recheck is not None)
        self._changed.set()

    async def serve(self, outcome: Outcome, receive: Receive, send: Send) -> None:
        watching_disconnect = asyncio.create_task(self._stop_on_disconnect(receive))
        try:
            async with asyncio.timeout(self._limits.drain_wait_s):
                await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            await self._answer(outcome, send)
            await self._write(send, b"", is_end=True)
        except (OSError, TimeoutError):
            pass  # the client has disconnected or does not read
        finally:
            self._latest.clear()
            if not isinstance(outcome, Answered | Rejected | Ended):
                outcome.close()
            watching_disconnect.cancel()
            await asyncio.wait([watching_disconnect])

    async def _answer(self, outcome: Outcome, send: Send) -> None:
        match outcome:
            case Answered():
                await self._write(send, _next(outcome.payload) + _COMPLETE)
            case Ended():
                await self._write(send, _COMPLETE)
            case Rejected():
                await self._write(send, _next(b'{"errors":%b}' % outcome.errors) + _COMPLETE)
            case _:
                await self._stream(send)

    async def _stream(self, send: Send) -> None:
        while not self._is_stopped:
            self._changed.clear()
            while not self._is_stopped and not self.refusal and (payload := self._latest.pop()) is not None:
                await self._write(send, _next(payload))
            if self._latest.is_finished:
                await self._write(send, _COMPLETE)
                return
            if (errors := await self._refusal()) is not None:
                await self._write(send, _next(b'{"errors":%b}' % errors) + _COMPLETE)
                return
            await self._wait(send)

    async def _refusal(self) -> bytes | None:
        """Return the errors that end the stream because of its caller, or None."""
        if self.refusal is not None:
            return _errors(self.refusal)
        if self._clock() >= self._expires_s:
            return messages.errors(_EXPIRED, "UNAUTHENTICATED")
        if self._recheck is None or self._clock() < self._recheck_s:
            return None
        try:
            await self._recheck.check()
        except (SessionLost, Unauthenticated) as error:
            return _errors(error)
        except TemporarilyUnavailable as error:
            return messages.errors(str(error), "UNAVAILABLE")
        self._recheck_s = self._clock() + self._recheck.delay_s()
        return None

    async def _wait(self, send: Send) -> None:
        """Wait for a payload, the token's expiry, or the next recheck or heartbeat."""
        heartbeat_s = self._clock() + self._limits.heartbeat_s
        try:
            async with asyncio.timeout_at(min(heartbeat_s, self._expires_s, self._recheck_s)):
                await self._changed.wait()
        except TimeoutError:
            if self._clock() >= heartbeat_s:
                await self._write(send, _HEARTBEAT_COMMENT)

    async def _write(self, send: Send, body: bytes, *, is_end: bool = False) -> None:
        async with asyncio.timeout(self._limits.drain_wait_s):
            await send({"type": "http.response.body", "body": body, "more_body": not is_end})

    async def _stop_on_disconnect(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.stop()


def _errors(error: Unauthenticated | SessionLost) -> bytes:
    return messages.errors(str(error), "SESSION_LOST" if isinstance(error, SessionLost) else "UNAUTHENTICATED")


def _next(payload: bytes) -> bytes:
    return b"event: next\ndata: %b\n\n" % payload
