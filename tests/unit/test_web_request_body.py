"""A refusal of a body reaches a client that is still sending it."""

from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from web.request_body import respond_and_discard


async def test_refusal_is_complete_before_the_rest_of_the_body_arrives() -> None:
    refusal = JSONResponse({"message": "x" * 2_000}, 413)
    sent = list[Message]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond_and_discard(refusal, receive, send)

    async def receive() -> Message:
        # The client reads all of the refusal, and only then stops sending.
        assert b"".join(message.get("body", b"") for message in sent) == refusal.body
        assert (b"content-length", str(len(refusal.body)).encode()) in sent[0]["headers"]
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "headers": [(b"accept-encoding", b"gzip")]}
    await GZipMiddleware(app, minimum_size=1024)(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", *["http.response.body"] * 2]
