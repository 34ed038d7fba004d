"""Request bodies of bounded size.

A body that is too large is refused before it fills memory, and the client can still read the
refusal.
"""

import asyncio

from starlette.responses import Response
from starlette.types import Message, Receive, Send

from web.http_errors import HttpError

# Limits after a refusal: a client that sends more, or takes longer, is disconnected.
_DISCARD_AT_MOST_BYTES = 64 * 1024 * 1024
_DISCARD_FOR_AT_MOST_S = 10


class BodyTooLarge(HttpError):
    def __init__(self, limit: int) -> None:
        super().__init__(
            413, f"The body has more than {limit} bytes; send a smaller document.", headers={"Connection": "close"}
        )


class ClientDisconnected(Exception):
    """Raised if the client leaves before its request is complete. No response can reach it."""


async def read_body(receive: Receive, *, declared: str | None, limit: int) -> bytes:
    """Return the body. `declared` is the Content-Length.

    Raises BodyTooLarge, or ClientDisconnected if the client leaves.
    """
    if declared is not None and declared.isdecimal() and int(declared) > limit:
        raise BodyTooLarge(limit)
    chunks, length, more = [], 0, True
    while more:
        message = await _next(receive)
        chunks.append(message.get("body", b""))
        length += len(chunks[-1])
        if length > limit:
            raise BodyTooLarge(limit)
        more = message.get("more_body", False)
    return b"".join(chunks)


async def respond_and_discard(response: Response, receive: Receive, send: Send) -> None:
    """Respond immediately and discard the rest of the body.

    A client that is still sending would otherwise never read the response.
    """
    # A compressed response would have no length, so the client would wait for its end.
    headers = [*response.raw_headers, (b"content-encoding", b"identity")]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": bytes(response.body), "more_body": True})
    try:
        async with asyncio.timeout(_DISCARD_FOR_AT_MOST_S):
            await _discard(receive)
    except (TimeoutError, ClientDisconnected):
        pass
    await send({"type": "http.response.body", "body": b""})


async def _discard(receive: Receive) -> None:
    discarded, more = 0, True
    while more and discarded < _DISCARD_AT_MOST_BYTES:
        message = await _next(receive)
        discarded += len(message.get("body", b""))
        more = message.get("more_body", False)


async def _next(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnected
    return message
