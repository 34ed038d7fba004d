"""Answers the requests of the fast path, with the functions that the ordinary path uses."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp, Message

from web.fast_path.request_heads import RequestHead, RequestHeads
from web.graphql import GraphQLEndpoint, JsonResponse, complete
from web.middleware import COMPRESSED_FROM_BYTES
from web.proxies import TrustedProxies
from web.request_body import ClientDisconnected


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


class FastPath:
    """The fast path of a process. The protocol finds it in the state of the application."""

    def __init__(self, endpoint: GraphQLEndpoint, trusted_proxies: Sequence[str] = (), *, max_body_bytes: int) -> None:
        self._endpoint = endpoint
        self.heads = RequestHeads(TrustedProxies(trusted_proxies), endpoint.find_format, max_body_bytes=max_body_bytes)

    async def answer(
        self, head: RequestHead, authorization: str, body: bytes | Awaitable[bytes], request_id: str
    ) -> Answer:
        """Return the answer to a request. `body` may raise ClientDisconnected."""
        try:
            response = await self._endpoint.execute_post(
                authorization, body, format_=head.format, request_id=request_id, address=head.address
            )
        except ClientDisconnected:
            raise
        except Exception as error:
            response = self._endpoint.respond_to_error(error, head.format, request_id)
        if len(response.body) < COMPRESSED_FROM_BYTES:
            return Answer(response.status_code, response.raw_headers, bytes(response.body))
        return await _compressed(response, head.accepted_encodings)


async def _compressed(response: JsonResponse, accepted_encodings: str) -> Answer:
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
    return Answer(start["status"], start["headers"], b"".join(part.get("body", b"") for part in parts))
