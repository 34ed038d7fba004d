"""`make fuzz` with few examples: no internal error occurs, and no socket is cut off."""

import asyncio

import httpx2
import pytest

from proofs.fuzz.documents import WrongAnswer, check_answer, fuzz_documents
from proofs.fuzz.sockets import CLOSE, NO_CODE, TEXT, Frame, LostSocket, exchange, fuzz_sockets
from tests.support.shop import Shop

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_generated_documents_cause_no_internal_error(shop: Shop) -> None:
    tokens = [None, shop.token("alice"), shop.token("olivia")]
    assert await asyncio.to_thread(fuzz_documents, _url(shop), examples=40, tokens=tokens) >= 40


async def test_generated_frames_never_cut_off_a_socket(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    assert await asyncio.to_thread(fuzz_sockets, _url(shop), examples=40) >= 40
    assert not [record for record in caplog.records if record.exc_info]


async def test_each_kind_of_frame_causes_the_right_close_code(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    frames = [
        Frame(TEXT, b'{"type":"ping"}'),
        Frame(TEXT, b"{}", reserved=4),
        Frame(TEXT, b"\xff"),
        Frame(TEXT, b"a" * 70_000),
        Frame(TEXT, b"[]"),
        Frame(CLOSE, b""),
        Frame(TEXT, b'{"type":"subscribe","id":"1","payload":{"query":"{ serverTime }"}}'),
    ]
    codes = [await asyncio.to_thread(exchange, _url(shop), [frame]) for frame in frames]
    assert codes == [1000, 1002, 1007, 4400, 4400, NO_CODE, 4401]
    assert not [record for record in caplog.records if record.exc_info]


async def test_socket_that_is_cut_off_is_reported() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(LostSocket, match="was cut"):
            await asyncio.to_thread(exchange, f"http://127.0.0.1:{port}", [])


@pytest.mark.parametrize(
    ("status", "payload"),
    [(500, {"errors": []}), (200, {"errors": [{"extensions": {"code": "INTERNAL"}}]}), (200, {"data?": None})],
)
async def test_wrong_answer_is_reported(status: int, payload: dict[str, object]) -> None:
    with pytest.raises(WrongAnswer):
        check_answer(httpx2.Response(status, json=payload), "{ serverTime }")


def _url(shop: Shop) -> str:
    return str(shop.client.base_url)
