"""A connection that sends webhooks.

A general HTTP client needs several times as much CPU time, and the process, which is also the bank,
sends hundreds of webhooks a second during a sale.
"""

import asyncio
import ssl
from urllib.parse import urlsplit

import httptools

MAX_ANSWER_BYTES = 65_536


class ConnectionFailed(Exception):
    """The receiver could not be reached, or did not answer in HTTP."""


class _Answer:
    """Collects an HTTP answer; the parser calls its methods."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.is_complete = False
        self.is_kept_alive = False

    def on_headers_complete(self) -> None:
        # The parser forgets the status at the end of the message.
        self.is_kept_alive = self.parser.should_keep_alive()

    def on_message_complete(self) -> None:
        self.is_complete = True


class WebhookConnection:
    """Sends one request at a time to a URL, and keeps the connection open between requests."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise ValueError(f"{url!r} is not the URL of a webhook receiver; it begins with http:// or https://")
        self._host, self._port = parts.hostname, parts.port
        self._is_secure = parts.scheme == "https"
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        self._head = (
            f"POST {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: Stripe/1.0 (Onsale sandbox)\r\n"
            "Content-Type: application/json; charset=utf-8\r\nAccept: */*\r\n"
        )
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, body: bytes, signature: str) -> int:
        """Send a body and return the status of the answer. Raises ConnectionFailed."""
        head = f"{self._head}Stripe-Signature: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
        try:
            was_open = self._streams is not None
            try:
                return await self._exchange(head.encode() + body)
            except (OSError, EOFError):
                if not was_open:
                    raise
                # The receiver may have closed an idle connection. A webhook may come twice anyway.
                self.close()
                return await self._exchange(head.encode() + body)
        except (OSError, EOFError, httptools.HttpParserError) as error:
            self.close()
            raise ConnectionFailed(f"{type(error).__name__}: {error}") from error
        except BaseException:
            self.close()
            raise

    async def _exchange(self, request: bytes) -> int:
        if self._streams is None:
            port = self._port or (443 if self._is_secure else 80)
            context = ssl.create_default_context() if self._is_secure else None
            self._streams = await asyncio.open_connection(self._host, port, ssl=context)
        reader, writer = self._streams
        writer.write(request)
        answer = _Answer()
        received = 0
        while not answer.is_complete:
            data = await reader.read(MAX_ANSWER_BYTES)
            received += len(data)
            if not data or received > MAX_ANSWER_BYTES:
                raise EOFError("the answer ended too early" if not data else "the answer is too long")
            answer.parser.feed_data(data)
        status = int(answer.parser.get_status_code())
        if not answer.is_kept_alive:
            self.close()
        return status

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
