"""HTTP for the port of the metrics: a client that is silent or does not read is disconnected, and
one address cannot use up all connections.
"""

import asyncio
from collections import Counter
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXCHANGE_WITHIN_S = 10.0
"""Longer than a scrape takes while a store is silent, and the usual time limit of a scraper."""
MAX_PER_ADDRESS = 5


class ScrapeProtocol(HttpToolsProtocol):
    """A connection that is ended unless a request is answered within every `EXCHANGE_WITHIN_S`."""

    _open: ClassVar[Counter[str]] = Counter()
    """The open connections of this process, by the client's address."""
    _deadline: asyncio.TimerHandle | None = None
    _address: str | None = None

    @classmethod
    def count_open(cls, address: str) -> int:
        """Return how many connections this address has."""
        return cls._open.get(address, 0)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if self._open[address] >= MAX_PER_ADDRESS:
            transport.abort()
            return
        self._open[address] += 1
        self._address = address
        self._expect_exchange()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        if self._address is not None:
            self._open[self._address] -= 1
            # A client may use many addresses.
            if not self._open[self._address]:
                del self._open[self._address]
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # The client has as long again to read the answer and to send its next request. The deadline
        # of a connection that is being closed stays, because its client may not read.
        if not self.transport.is_closing():
            self._expect_exchange()

    def _expect_exchange(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(EXCHANGE_WITHIN_S, self._abort)

    def _abort(self) -> None:
        transport: Any = self.transport
        transport.abort()
