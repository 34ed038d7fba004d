"""Sends batches of script calls to the store: one batch at a time, in one write.

Each call contains the incarnation of the store as seen by its connection; scripts refuse any other
(lua/lib/prologue.lua). So a pipeline connects before it encodes the calls, and reads the
incarnation again every half second together with a batch, or before the batch if the known one is
over a second old. A call whose connection broke is encoded again for a new connection, so every
script must tolerate being executed twice.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from domain.errors import TemporarilyUnavailable
from storage.hot.resp import Arg, check_words, pack_call
from storage.hot.store_connection import StoreConnection
from storage.scripts import Script, ScriptReplyError
from telemetry import metrics, traces

log = logging.getLogger(__name__)

INCARNATION_MAX_AGE_S = 1.0
INCARNATION_REFRESH_S = 0.5
_READ_INCARNATION = b"*3\r\n$4\r\nINFO\r\n$6\r\nserver\r\n$11\r\nreplication\r\n"

_UNAVAILABLE_CODES = frozenset({"OOM", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "MISCONF", "NOREPLICAS", "BUSY"})
"""Error codes of a store that is full, overloaded or without its replicas."""
_RECONNECT_CODES = frozenset({"READONLY", "LOADING", "NOAUTH"})
"""Error codes after which a new connection may lead to a store that accepts the call."""
_UNFINISHED_CODE = "UNFINISHED"
"""The error code of a script that failed after its first write and stopped trusting its concert."""


@dataclass(slots=True)
class Call:
    """A script call that waits for its reply, which is a list that begins with a word."""

    script: Script
    keys: tuple[str, ...]
    args: Sequence[Arg]
    answer: "asyncio.Future[list[Any]]"
    units: int = 0
    """How many units of stock the call may take."""
    is_repeated: bool = False
    span: traces.Span | None = None

    def can_be_encoded(self) -> bool:
        """Return whether the arguments can be encoded; fail the call if not."""
        try:
            check_words(self.args)
        except (ValueError, TypeError) as error:
            self.fail(error)
            return False
        return True

    def succeed(self, reply: list[Any]) -> None:
        if not self.answer.done():
            self.answer.set_result(reply)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)

    def may_repeat(self, error: Exception) -> bool:
        """Return whether to send the call again after its connection broke; fail a call that was
        sent twice.
        """
        if self.answer.done():
            return False
        if self.is_repeated:
            self.fail(_unavailable("The stock store does not answer", error))
            return False
        self.is_repeated = True
        return True


class Command:
    """One run of a script, for one call, or for several calls of a script that takes them."""

    def __init__(self, calls: list[Call]) -> None:
        self.calls = calls
        self.script = calls[0].script

    def pack(self, incarnation: str, *, with_source: bool = False) -> bytes | None:
        """Return the bytes of the command, or None if no call is left.

        A call whose arguments cannot be encoded fails, without harm to the others.
        """
        try:
            return self._pack(incarnation, with_source=with_source)
        except (ValueError, TypeError):
            self.calls = [call for call in self.calls if call.can_be_encoded()]
            return self._pack(incarnation, with_source=with_source) if self.calls else None

    def _pack(self, incarnation: str, *, with_source: bool) -> bytes:
        args: Sequence[Arg] = self.calls[0].args
        if self.script.takes_calls:
            args = [word for call in self.calls for word in (len(call.args), *call.args)]
        if self.script.takes_incarnation:
            args = (incarnation, *args)
        if with_source:
            return pack_call("EVAL", self.script.source, self.calls[0].keys, args)
        return pack_call("EVALSHA", self.script.sha, self.calls[0].keys, args)

    def succeed(self, reply: list[Any]) -> None:
        replies = reply if self.script.takes_calls else [reply]
        if len(replies) != len(self.calls):
            self.fail(ScriptReplyError(self.script.name, f"{len(replies)} replies to {len(self.calls)} calls"))
            return
        for call, own in zip(self.calls, replies, strict=True):
            call.succeed(own)

    def fail(self, error: Exception) -> None:
        for call in self.calls:
            call.fail(error)

    def answer_all(self, word: bytes) -> None:
        """Answer each call with a word."""
        for call in self.calls:
            call.succeed([word])


def group_calls(calls: Sequence[Call], *, most: int) -> list[Command]:
    """Return the commands for these calls. Calls of one script that takes them, for one concert,
    share a command, with at most `most` in each.

    A shared command is sent at the position of its last call. So the order within a group stays,
    and whatever was called before one of its calls is done before it.
    """
    groups: dict[object, list[Call]] = {}
    for number, call in enumerate(calls):
        if not call.script.takes_calls:
            groups[number] = [call]
            continue
        key = (call.script.name, call.keys[0])
        group = groups.pop(key, [])
        if len(group) == most:
            groups[number] = group
            group = []
        group.append(call)
        groups[key] = group
    return [Command(group) for group in groups.values()]


@dataclass(slots=True)
class IncarnationSeen:
    """The incarnation last seen by any pipeline.

    A change seen by one pipeline makes the others read it again, because a store that is promoted
    to primary keeps its connections.
    """

    last_seen: str = ""
    changes: int = 0

    def update(self, incarnation: str) -> None:
        if incarnation != self.last_seen:
            self.last_seen = incarnation
            self.changes += 1


class Pipeline:
    """Owns one connection, and the task that opens it.

    `on_idle` is called at the end of each batch with the calls that must be sent again.
    """

    def __init__(
        self,
        make_connection: Callable[[], AbstractConnection],
        incarnation_seen: IncarnationSeen,
        on_idle: Callable[[list[Call]], None],
        *,
        max_calls_per_run: int,
    ) -> None:
        self._make_connection = make_connection
        self._on_idle = on_idle
        self._connection: StoreConnection | None = None
        self._opening: asyncio.Task[None] | None = None
        self._batch: list[Call] = []
        self._is_sent = False
        self._max_calls_per_run = max_calls_per_run
        self._again: list[Command] = []
        """Commands that had no effect and are sent once more: the store has lost their scripts, or
        a run for several calls failed.
        """
        self._expected: deque[Command | None] = deque()
        """The commands whose replies are still expected, in order; None stands for the incarnation.
        """
        self._incarnation = ""
        self._incarnation_seen = incarnation_seen
        self._changes_seen = 0
        self._asked_s = float("-inf")
        self._asking_s = float("-inf")
        self.started_s = self.replied_s = float("-inf")

    @property
    def is_idle(self) -> bool:
        return not self._batch

    def start(self, batch: list[Call]) -> None:
        """Send a batch, which must not be empty. The pipeline must be idle."""
        self._batch = batch
        self.started_s = time.monotonic()
        metrics.pipeline_calls.observe(len(batch))
        for call in batch:
            if call.span is not None:
                call.span.set({"onsale.pipeline_calls": len(batch)})
        self._is_sent = False
        if self._connection is None:
            self._opening = asyncio.create_task(self._open())
        else:
            self._send_batch(self._connection)

    async def aclose(self) -> None:
        """Close the connection. The calls of the current batch fail."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._connection is not None:
            self._connection.close()
        for call in self._batch:
            call.fail(TemporarilyUnavailable("This server is stopping"))

    async def _open(self) -> None:
        try:
            self._connection = await StoreConnection.open(self._make_connection(), self)
        except (RedisConnectionError, RedisTimeoutError, OSError) as error:
            self.disconnected(error)
        except Exception as error:
            self._give_up(error)
        else:
            # The new connection may lead to another server, so the incarnation must be read.
            self._asked_s = float("-inf")
            self._send_batch(self._connection)

    def _send_batch(self, connection: StoreConnection) -> None:
        """Send the batch, or first ask for the incarnation if the known one is too old."""
        age_s = time.monotonic() - self._asked_s
        if age_s > INCARNATION_MAX_AGE_S or self._changes_seen != self._incarnation_seen.changes:
            self._send(connection, [], asks_incarnation=True)
        else:
            self._is_sent = True
            self._send(connection, self._group_batch(), asks_incarnation=age_s > INCARNATION_REFRESH_S)

    def _group_batch(self) -> list[Command]:
        commands = group_calls(self._batch, most=self._max_calls_per_run)
        for command in commands:
            metrics.script_calls.add_several(len(command.calls), command.script.name)
        return commands

    def _send(
        self,
        connection: StoreConnection,
        commands: Sequence[Command],
        *,
        asks_incarnation: bool = False,
        with_sources: bool = False,
    ) -> None:
        """Send commands, the first of each script with its source if the store may lack it."""
        packed: list[bytes] = []
        sent_sources = set[str]()
        for command in commands:
            with_source = with_sources and command.script.sha not in sent_sources
            encoded = command.pack(self._incarnation, with_source=with_source)
            if encoded is not None:
                packed.append(encoded)
                self._expected.append(command)
                sent_sources.add(command.script.sha)
        if asks_incarnation:
            packed.append(_READ_INCARNATION)
            self._expected.append(None)
            self._asking_s = time.monotonic()
        if packed:
            connection.send(b"".join(packed), replies=len(packed))
        else:
            self._become_idle([])

    def receive(self, reply: Any) -> None:
        """Handle a reply of the connection."""
        self.replied_s = time.monotonic()
        command = self._expected.popleft()
        if isinstance(reply, ResponseError):
            self._receive_error(command, reply)
        elif command is not None:
            command.succeed(reply)
        else:
            self._receive_incarnation(reply)
        # A reply may have closed the connection, which has ended the batch.
        if not self._expected and self._connection is not None:
            self._continue(self._connection)

    def disconnected(self, error: Exception) -> None:
        """Drop a broken connection. Calls that were sent only once are sent again."""
        self._forget_connection()
        self._become_idle([call for call in self._batch if call.may_repeat(error)])

    def _continue(self, connection: StoreConnection) -> None:
        """Continue after the last expected reply."""
        if not self._is_sent:
            # The incarnation has just been read, however long that took.
            self._is_sent = True
            self._send(connection, self._group_batch())
        elif self._again:
            commands, self._again = self._again, []
            self._send(connection, commands, with_sources=True)
        else:
            self._become_idle([])

    def _receive_error(self, command: Command | None, error: ResponseError) -> None:
        code = _code(error)
        if code in _RECONNECT_CODES:
            self._close_connection()
            self.disconnected(error)
        elif command is None:
            self._give_up(error)
        elif code == "NOSCRIPT":
            self._again.append(command)
        elif code == _UNFINISHED_CODE:
            log.error("%s failed after its first write, so the concert is recovered: %s", command.script.name, error)
            command.answer_all(b"RECOVERING")
        elif len(command.calls) > 1 and code not in _UNAVAILABLE_CODES:
            # Nothing was written, and one call may have caused the error for all.
            self._again.extend(Command([call]) for call in command.calls)
        else:
            command.fail(_domain_error(error))

    def _receive_incarnation(self, info: bytes) -> None:
        text = info.decode()
        try:
            self._incarnation = f"{_field(text, 'run_id')}-{_field(text, 'master_replid')}"
        except RedisError as error:
            self._give_up(error)
            return
        self._asked_s = self._asking_s
        self._incarnation_seen.update(self._incarnation)
        self._changes_seen = self._incarnation_seen.changes

    def _give_up(self, error: Exception) -> None:
        """Close the connection; the calls fail, because a new connection would not help."""
        self._close_connection()
        for call in self._batch:
            call.fail(_domain_error(error))
        self._become_idle([])

    def _close_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._forget_connection()

    def _forget_connection(self) -> None:
        self._connection = None
        self._expected.clear()
        self._again = []

    def _become_idle(self, again: list[Call]) -> None:
        self._batch = []
        metrics.pipeline_seconds.observe(time.monotonic() - self.started_s)
        self._on_idle(again)


def _code(error: Exception) -> str:
    return str(error).partition(" ")[0]


def _domain_error(error: Exception) -> Exception:
    """Return TemporarilyUnavailable if the store is full, overloaded or without its replicas, and
    any other error unchanged.
    """
    if _code(error) not in _UNAVAILABLE_CODES:
        return error
    return _unavailable("The stock store does not accept writes", error)


def _unavailable(message: str, cause: Exception) -> TemporarilyUnavailable:
    refusal = TemporarilyUnavailable(message)
    refusal.__cause__ = cause
    return refusal


def _field(info: str, name: str) -> str:
    for line in info.splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return value
    raise RedisError(f"INFO has no {name}")
