"""The server reads any stream of frames as the parser of the library websockets does.

Hypothesis generates the frames and the places where TCP cuts them.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import orjson
import pytest
import pytest_asyncio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from websockets.frames import Frame as ParsedFrame
from websockets.frames import Opcode
from websockets.protocol import Protocol, Side

from proofs.fuzz.sockets import BINARY, CLOSE, PING, TEXT, Frame
from tests.support.raw_sockets import CONTINUATION, PONG, RawSocket, close_of, fragments, raw_client, turns_of_the_loop
from tests.support.sockets import PATIENT, Sockets, sockets

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOO_LARGE, BAD_REQUEST = 1009, 4400
"""The library's code for a message that is too large, and ours."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Sockets]:
    async with sockets(PATIENT) as made:
        yield made


@dataclass(slots=True)
class Expected:
    """The answers that the server must give. Without `close_code`, the socket stays open."""

    messages: list[object] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)
    close_code: int | None = None


def expected_answers(sent: bytes) -> Expected:
    """Return the answers of the library's parser when it is fed all bytes at once."""
    library = Protocol(Side.SERVER, max_size=PATIENT.message_bytes)
    library.receive_data(sent)
    expected, parts = Expected(), list[bytes]()
    for event in library.events_received():
        assert isinstance(event, ParsedFrame)
        match event.opcode:
            case Opcode.PING:
                expected.pongs.append(bytes(event.data))
            case Opcode.TEXT | Opcode.CONT:
                parts.append(bytes(event.data))
                if event.fin:
                    if not _is_utf8(message := b"".join(parts)):
                        expected.close_code = 1007
                        return expected
                    expected.messages.append({"type": "pong", "payload": orjson.loads(message)["payload"]})
                    parts = []
    if library.close_sent is not None:
        code = library.close_sent.code
        expected.close_code = BAD_REQUEST if code == TOO_LARGE else code
    return expected


def _is_utf8(message: bytes) -> bool:
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True


@st.composite
def messages(draw: st.DrawFn) -> list[Frame]:
    """Draw a ping of the subprotocol, in fragments with control frames between them."""
    payload = {"text": draw(st.text(max_size=20)) * draw(st.sampled_from([1, 1, 1, 10, 700]))}
    message = orjson.dumps({"type": "ping", "payload": payload})
    cuts = draw(st.lists(st.integers(0, len(message)), max_size=4).map(sorted))
    found = []
    for fragment in fragments(message, *cuts):
        found += [*draw(st.lists(controls, max_size=2)), fragment]
    return found


controls = st.builds(Frame, st.sampled_from([PING, PONG]), st.binary(max_size=125))
small = st.binary(max_size=130)
violations = st.one_of(
    st.builds(Frame, st.integers(0, 15), small, reserved=st.integers(1, 7)),
    st.builds(Frame, st.sampled_from([3, 7, 11, 15]), small),
    st.builds(Frame, st.sampled_from([TEXT, BINARY, PING]), small, is_masked=st.just(False)),
    st.builds(Frame, st.sampled_from([PING, PONG, CLOSE]), small, is_final=st.just(False)),
    st.builds(Frame, st.sampled_from([PING, PONG]), st.binary(min_size=126, max_size=130)),
    st.builds(Frame, st.just(CLOSE), small | st.integers(0, 5_000).map(lambda code: code.to_bytes(2, "big"))),
    st.builds(Frame, st.just(CONTINUATION), st.just(b""), is_final=st.just(False)),
    st.builds(Frame, st.just(TEXT), small.map(lambda text: b'"' + text + b'\xff"')),
    st.builds(Frame, st.just(TEXT), st.just(b"x" * (PATIENT.message_bytes + 1))),
)


@st.composite
def streams(draw: st.DrawFn) -> list[Frame]:
    """Draw messages, and often a violation or a close frame between them or within one."""
    found = [frame for part in draw(st.lists(messages(), min_size=1, max_size=4)) for frame in part]
    if draw(st.booleans()):
        found.insert(draw(st.integers(0, len(found))), draw(violations))
    return found


CUTS = st.lists(st.floats(0, 1, exclude_max=True), max_size=8).map(sorted)


@settings(max_examples=60)
@given(streams(), CUTS)
@example(fragments(b'{"type":"ping","payload":{"text":"\xe2\x82\xac"}}', 36, 37), [0.5])
async def test_frames_are_read_as_the_library_reads_them(
    server: Sockets, frames: list[Frame], cuts: Sequence[float]
) -> None:
    sent = b"".join(frame.encode() for frame in frames)
    expected = expected_answers(sent)
    async with raw_client(server.url) as raw:
        await send_in_pieces(raw, sent, [int(cut * len(sent)) for cut in cuts])
        if expected.close_code is None:
            answers = await received_until_closed(raw, asks_after=len(expected.messages) + len(expected.pongs))
            assert answers == Expected(expected.messages, expected.pongs, 1000)
        else:
            answers = await received_until_closed(raw)
            assert (answers.pongs, answers.close_code) == (expected.pongs, expected.close_code)
            # The close frame does not wait for answers that are under way.
            assert answers.messages == expected.messages[: len(answers.messages)]


async def send_in_pieces(raw: RawSocket, sent: bytes, cuts: Sequence[int]) -> None:
    for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        try:
            await raw.send(sent[start:end])
        except ConnectionError:
            return  # the server has already closed the socket
        await turns_of_the_loop(2)


async def received_until_closed(raw: RawSocket, *, asks_after: int | None = None) -> Expected:
    """Return the answers until the server's close frame, which is asked for after some answers."""
    answers = Expected()
    while answers.close_code is None:
        if len(answers.messages) + len(answers.pongs) == asks_after:
            await raw.send(Frame(CLOSE, b"\x03\xe8"))
            asks_after = None
        frame = await raw.receive_frame()
        match frame.opcode:
            case Opcode.TEXT:
                answers.messages.append(orjson.loads(frame.payload))
            case Opcode.CLOSE:
                answers.close_code = close_of(frame)[0]
            case Opcode.PONG:
                answers.pongs.append(frame.payload)
            case _:
                raise AssertionError(f"the server sent {frame}")
    return answers
