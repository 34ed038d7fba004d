"""A store that answers script calls as a test chooses, for errors that real stores rarely have."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import hiredis

from tests.support.waiting import wait_until

INFO = b"# Server\r\nrun_id:%b\r\n# Replication\r\nmaster_replid:replid\r\n"


class FakeStore:
    """Answers the nth script call with `reply_to(n)`, counted from 0, and all other commands with
    OK.
    """

    def __init__(self, reply_to: Callable[[int], bytes], *, info: bytes = INFO % b"run1") -> None:
        self._reply_to = reply_to
        self._port = 0
        self._open = 0
        self.info = b"$%d\r\n%b\r\n" % (len(info), info)
        self.connections = 0
        self.incarnations = list[str]()
        """The first argument of each script call."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["FakeStore"]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            self._port = server.sockets[0].getsockname()[1]
            yield self
            await wait_until(lambda: self._open == 0, what="the end of the connections")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open += 1
        commands = hiredis.Reader(notEnoughData=None)
        try:
            while data := await reader.read(65_536):
                commands.feed(data)
                while (command := commands.gets()) is not None:
                    writer.write(self._answer(command))
        except ConnectionError:
            pass
        finally:
            self._open -= 1
            writer.close()

    def _answer(self, command: list[bytes]) -> bytes:
        if command[0] == b"INFO":
            return self.info
        if command[0] not in (b"EVALSHA", b"EVAL"):
            return b"+OK\r\n"
        self.incarnations.append(command[3 + int(command[2])].decode())
        return self._reply_to(len(self.incarnations) - 1)
