"""Sends a request over any transport, and returns the answer in the same form."""

from typing import Any

import orjson

from schema import hash_document
from tests.support.events import events
from tests.support.shop import Answer, Shop
from tests.support.shop_socket import open_client

TRANSPORTS = ["POST", "GET", "event stream", "socket"]


async def send_over(transport: str, shop: Shop, request: dict[str, Any], *, by: str | None = None) -> Answer:
    """Return the execution result. A refusal is a result with `errors` on every transport."""
    if transport == "socket":
        return await _over_socket(shop, request, by)
    headers = shop.headers(by)
    if transport == "event stream":
        accept = {"Accept": "text/event-stream"}
        async with events(shop.client, "POST", "/graphql", json=request, headers=headers | accept) as stream:
            name, answer = await stream.receive()
            assert name == "next"
            return answer
    if transport == "GET":
        params = {name: value if isinstance(value, str) else _json(value) for name, value in request.items()}
        return (await shop.client.get("/graphql", params=params, headers=headers)).json()
    return (await shop.client.post("/graphql", json=request, headers=headers)).json()


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


async def _over_socket(shop: Shop, request: dict[str, Any], by: str | None) -> Answer:
    async with open_client(shop, shop.token(by) if by else None) as client:
        await client.send({"type": "subscribe", "id": "1", "payload": request})
        received = await client.receive()
        return {"errors": received["payload"]} if received["type"] == "error" else received["payload"]


def error_of(answer: Answer) -> tuple[str, str]:
    """Return the message and the code of the only error in an answer without data."""
    assert set(answer) == {"errors"}, answer
    (error,) = answer["errors"]
    assert error["extensions"]["requestId"]
    return error["message"], error["extensions"]["code"]


def apollo_hash(document: str) -> dict[str, Any]:
    """Return the `extensions` that name a document by its hash, as Apollo sends them."""
    return {"persistedQuery": {"version": 1, "sha256Hash": hash_document(document).hex()}}
