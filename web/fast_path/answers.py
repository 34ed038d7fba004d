"""Answers the requests of the fast path, with the functions that the ordinary path uses."""

from collections.abc import Awaitable, Iterable, Sequence
from typing import NamedTuple

from starlette.types import ASGIApp, Message

from web.fast_path.header_lines import write_headers
from web.fast_path.request_heads import RequestHead, RequestHeads
from web.graphql import GraphQLEndpoint, JsonResponse, complete
from web.middleware import COMPRESSED_FROM_BYTES, Exchange
from web.proxies import TrustedProxies
from web.request_body import ClientDisconnected


class Answer(NamedTuple):
    status: int
    header_lines: bytes
    body: bytes


class FastPath:
    """The fast path of a process. The protocol finds it in the state of the application."""

    def __init__(self, endpoint: GraphQLEndpoint, trusted_proxies: Sequence[str] = (), *, max_body_bytes: int) -> None:
        self._endpoint = endpoint
        self.heads = RequestHeads(TrustedProxies(trusted_proxies), endpoint.find_format, max_body_bytes=max_body_bytes)

    async def answer(
        self, head: RequestHead, authorization: bytes, body: bytes | Awaitable[bytes], exchange: Exchange
    ) -> Answer:
        """Return the answer to a request. `body` may raise ClientDisconnected."""
        try:
            status, answered = await self._endpoint.execute_post(
                authorization,
                head.token,
                body,
                media_type=head.format.media_type,
                request_id=exchange.id,
                address=head.address,
            )
        except ClientDisconnected:
            raise
        except Exception as error:
            response = self._endpoint.respond_to_error(error, head.format, exchange.id)
        else:
            if len(answered) < COMPRESSED_FROM_BYTES:
                exchange.status = status
                return Answer(status, head.lines.complete(len(answered), exchange.id), answered)
            response = JsonResponse(answered, status, head.format.headers)
        if len(response.body) < COMPRESSED_FROM_BYTES:
            return make_answer(exchange, response.status_code, response.raw_headers, bytes(response.body))
        return await _compress(response, head.accepted_encodings, exchange)


def make_answer(exchange: Exchange, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Answer:
    return Answer(status, write_headers(exchange.complete_headers(status, headers)), body)


async def _compress(response: JsonResponse, accepted_encodings: str, exchange: Exchange) -> Answer:
    """Return a large response as the middleware for compression sends it."""
    app: ASGIApp = complete(response)
    headers = [(b"accept-encoding", accepted_encodings.encode("latin-1"))]
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the body has been read")

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "http", "method": "POST", "headers": headers}, receive, send)
    start, *parts = sent
    return make_answer(exchange, start["status"], start["headers"], b"".join(part.get("body", b"") for part in parts))
