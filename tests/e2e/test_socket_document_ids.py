"""A subscribe message may name its document with `documentId`."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.sockets import Sockets, sockets

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Sockets]:
    async with sockets() as made:
        yield made


def subscribe(payload: dict[str, Any]) -> dict[str, Any]:
    return {"id": "1", "type": "subscribe", "payload": payload}


async def test_document_id_without_a_document_reaches_the_runner(server: Sockets) -> None:
    async with server.signed_in() as client:
        await client.send(subscribe({"documentId": "sha256:e"}))
        assert (await client.receive())["type"] == "error"
    request = server.runner.requests[-1]
    assert (request.document, request.document_id) == (None, "sha256:e")


@pytest.mark.parametrize("document_id", [1, ["e"], {"sha256": "e"}, True])
async def test_document_id_of_the_wrong_type_closes_the_socket(server: Sockets, document_id: object) -> None:
    async with server.signed_in() as client:
        await client.send(subscribe({"documentId": document_id}))
        assert await client.closed() == (4400, "`documentId` must be a string or null")


async def test_message_without_document_or_id_closes_the_socket(server: Sockets) -> None:
    async with server.signed_in() as client:
        await client.send(subscribe({"documentId": None}))
        assert (await client.closed())[0] == 4400
