"""The fast path of HTTP answers the same bytes with the same bytes as the ordinary path."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from telemetry.collector import PROCESS_REGISTRY
from tests.support.http_paths import MAX_BODY_BYTES, TwoPaths
from tests.support.plain_requests import (
    LINE,
    QUERY,
    Header,
    chunked,
    make_body,
    make_request,
    usual_headers,
)
from tests.support.shop import HOLD, Shop, lines
from web.fast_path.answers import FastPath
from web.fast_path.request_heads import MAX_BODY_BYTES as MAX_FAST_BODY_BYTES
from web.middleware import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

INTROSPECTION = make_body("{ __schema { types { name description } } }")
GRAPHQL = "application/graphql-response+json"
RUBBISH = b"\x16\x03\x01\x00garbage\r\n\r\n"
ID = ("X-Request-Id", "trace-1.A_b")


@dataclass(slots=True)
class World:
    paths: TwoPaths
    tokens: dict[str, str]
    hold: bytes
    """A hold that may be repeated."""
    fast: list[str] = field(default_factory=list)
    """The request ids of what the fast path has answered."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(shop: Shop) -> AsyncIterator[World]:
    concert = await shop.on_sale()
    input_ = {"concertId": concert.id, "lines": lines(concert, 1), "idempotencyKey": "the same"}
    document = HOLD.replace("expiresInSeconds", "")
    tokens = {
        "alice": shop.token("alice"),
        "olivia": shop.token("olivia"),
        "expired": shop.token("alice", exp=1_000_000_000),
        "garbage": "eyJ.not.a-token",
    }
    with TwoPaths(shop.service).record_access_lines() as paths:
        yield World(paths, tokens, make_body(document, input=input_))


@pytest.fixture(autouse=True)
def recorded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Record what the fast path answers."""
    answer = FastPath.answer
    world.fast.clear()

    async def record(self: FastPath, head: object, authorization: bytes, body: object, exchange: Exchange) -> object:
        world.fast.append(exchange.id)
        return await answer(self, head, authorization, body, exchange)  # type: ignore[arg-type]

    monkeypatch.setattr(FastPath, "answer", record)


def counters() -> dict[tuple[object, ...], float]:
    """Return the counters that requests increase."""
    samples = [sample for metric in PROCESS_REGISTRY.collect() for sample in metric.samples]
    wanted = ("onsale_refusals_total", "onsale_token_checks_total")
    return {(sample.name, *sample.labels.items()): sample.value for sample in samples if sample.name in wanted}


def plain(world: World, *more: Header, body: bytes = QUERY, by: str = "alice") -> bytes:
    return make_request([*usual_headers(world.tokens[by]), *more], body)


def without(headers: Sequence[Header], name: str) -> list[Header]:
    return [header for header in headers if header[0] != name]


def in_odd_case(headers: Sequence[Header]) -> list[Header]:
    return [("".join(random.Random(name).choice((str.upper, str.lower))(one) for one in name), value)
            for name, value in headers]  # fmt: skip


FAST = {
    "plain": lambda world: plain(world),
    "hold": lambda world: plain(world, body=world.hold),
    "GraphQL media type": lambda world: make_request(
        [*without(usual_headers(world.tokens["alice"]), "Accept"), ("Accept", GRAPHQL)], make_body("{ nothing }")
    ),
    "invalid document": lambda world: plain(world, body=make_body("{ nothing }")),
    "no Accept": lambda world: make_request(without(usual_headers(world.tokens["alice"]), "Accept")),
    "from a page": lambda world: plain(world, ("Origin", "https://other.example")),
    "with an id": lambda world: plain(world, ID),
    "with an invalid id": lambda world: plain(world, ("X-Request-Id", "a" * 66)),
    "with two ids": lambda world: plain(world, ID, ("X-Request-Id", "other")),
    "behind proxies": lambda world: plain(
        world, ("X-Forwarded-For", "192.0.2.1, 10.0.0.9"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "a.b")
    ),
    "traced": lambda world: plain(world, ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")),
    "odd case": lambda world: make_request(in_odd_case(usual_headers(world.tokens["alice"]))),
    "doubled Accept": lambda world: plain(world, ("Accept", f"{GRAPHQL};q=0.1")),
    "two content types": lambda world: plain(world, ("Content-Type", "text/plain")),
    "kept alive": lambda world: plain(world, ("Connection", "Keep-Alive")),
    "expired token": lambda world: plain(world, by="expired"),
    "garbage token": lambda world: plain(world, by="garbage"),
    "basic": lambda world: make_request([*usual_headers(None), ("Authorization", "Basic YTpi")]),
    "no body": lambda world: plain(world, body=b""),
    "no JSON": lambda world: plain(world, body=b"{"),
    "a list": lambda world: plain(world, body=b"[" + QUERY + b"]"),
    "subscription": lambda world: plain(world, body=make_body("subscription { holdChanged(concertId: 1) { id } }")),
    "large answer": lambda world: plain(world, body=INTROSPECTION, by="olivia"),
    "large body": lambda world: plain(world, body=QUERY.ljust(MAX_FAST_BODY_BYTES)),
}
ORDINARY = {
    "line break before": lambda world: b"\r\n" + plain(world),
    "anonymous": lambda world: make_request(usual_headers(None)),
    "cookie": lambda world: plain(world, ("Cookie", "a=1")),
    "two tokens": lambda world: plain(world, ("Authorization", "Bearer other")),
    "token twice in the head": lambda world: plain(world, ("X-Copy", f"Bearer {world.tokens['alice']}")),
    "empty token": lambda world: make_request([*usual_headers(None), ("Authorization", "")]),
    "Expect": lambda world: plain(world, ("Expect", "100-continue")),
    "chunked": lambda world: make_request(
        [*usual_headers(world.tokens["alice"]), ("Transfer-Encoding", "chunked")], chunked(QUERY), length=None
    ),
    "chunked with a length": lambda world: make_request(
        [*usual_headers(world.tokens["alice"]), ("Transfer-Encoding", "chunked")], chunked(QUERY)
    ),
    "two lengths": lambda world: plain(world, ("content-length", str(len(QUERY)))),
    "two different lengths": lambda world: plain(world, ("content-length", "3")),
    "signed length": lambda world: make_request(usual_headers(world.tokens["alice"]), length=f"+{len(QUERY)}"),
    "no length": lambda world: make_request(usual_headers(world.tokens["alice"]), b"", length=None),
    "compressed": lambda world: plain(world, ("Content-Encoding", "gzip")),
    "wrong type": lambda world: make_request(
        [*without(usual_headers(world.tokens["alice"]), "Content-Type"), ("Content-Type", "text/plain")]
    ),
    "no type": lambda world: make_request(without(usual_headers(world.tokens["alice"]), "Content-Type")),
    "wrong charset": lambda world: make_request(
        [
            *without(usual_headers(world.tokens["alice"]), "Content-Type"),
            ("Content-Type", "application/json; charset=x"),
        ]
    ),
    "not acceptable": lambda world: make_request(
        [*without(usual_headers(world.tokens["alice"]), "Accept"), ("Accept", "text/plain")]
    ),
    "closing": lambda world: plain(world, ("Connection", "close")),
    "upgrade": lambda world: plain(world, ("Connection", "Upgrade"), ("Upgrade", "h2c")),
    "HTTP/1.0": lambda world: make_request(usual_headers(world.tokens["alice"]), line=LINE.replace(b"1.1", b"1.0")),
    "with a query": lambda world: make_request(
        usual_headers(world.tokens["alice"]), line=LINE.replace(b"graphql", b"graphql?a=1")
    ),
    "other path": lambda world: make_request(
        usual_headers(world.tokens["alice"]), line=LINE.replace(b"graphql", b"graphq1")
    ),
    "PUT": lambda world: make_request(usual_headers(world.tokens["alice"]), line=LINE.replace(b"POST", b"PUT")),
    "large head": lambda world: plain(world, ("X-Long", "a" * 4_096)),
    "body above the limit of the fast path": lambda world: plain(world, body=QUERY.ljust(MAX_FAST_BODY_BYTES + 1)),
    "body above the limit": lambda world: plain(world, body=QUERY.ljust(MAX_BODY_BYTES + 1)),
    "forbidden character in a header": lambda world: plain(world, ("X-Bad", "a\x00b")),
    "folded header": lambda world: plain(world, ("X-Folded", "a\r\n b")),
    "space before a colon": lambda world: plain(world, ("X-Space ", "a")),
    "rubbish": lambda world: RUBBISH,
    "rubbish after": lambda world: plain(world) + RUBBISH,
    "two requests at once": lambda world: plain(world) + plain(world, by="expired"),
}


@pytest.mark.parametrize("name", [*FAST, *ORDINARY])
async def test_each_kind_of_request_gets_the_same_response(world: World, name: str) -> None:
    request = (FAST | ORDINARY)[name](world)
    await world.paths.compare([request])
    received = await world.paths.compare([request])
    assert received.statuses
    assert len(world.fast) == (2 if name in FAST else 0)


@pytest.mark.parametrize("name", ["plain", "expired token", "garbage token", "a list"])
async def test_both_paths_count_the_same(world: World, name: str) -> None:
    request, counted = FAST[name](world), []
    await world.paths.compare([request])
    for is_fast in (True, False):
        before, connection = counters(), world.paths.connect(is_fast=is_fast)
        await connection.send(request)
        await connection.answered()
        await connection.lose()
        counted.append({key: value - before.get(key, 0.0) for key, value in counters().items()})
    assert counted[0] == counted[1]
    assert any(counted[0].values())
    assert len(world.fast) == 2


async def test_compressed_answer_has_the_same_content(world: World) -> None:
    request = plain(world, ("Accept-Encoding", "gzip, br"), body=INTROSPECTION, by="olivia")
    received = await world.paths.compare([request])
    assert b"content-encoding: gzip\r\n" in received.data
    assert len(world.fast) == 1


async def test_request_cut_at_every_byte_gets_the_same_response(world: World) -> None:
    request = plain(world)
    whole = await world.paths.compare([request])
    for cut in range(1, len(request)):
        assert await world.paths.compare([request[:cut], request[cut:]]) == whole, cut
    # The fast path needs a whole head; with it, the body may be cut anywhere.
    assert len(world.fast) == 1 + len(QUERY)


async def test_body_may_arrive_byte_by_byte(world: World) -> None:
    request = plain(world, body=world.hold)
    head, body = request[: -len(world.hold)], world.hold
    received = await world.paths.compare([head, *[body[i : i + 1] for i in range(len(body))]])
    assert received.statuses == [200]
    assert len(world.fast) == 1


@pytest.mark.parametrize("second", ["plain", "expired token", "anonymous", "chunked", "rubbish", "closing"])
async def test_pipelined_requests_are_answered_in_order(world: World, second: str) -> None:
    first, then = plain(world), (FAST | ORDINARY)[second](world)
    alone = await world.paths.compare([then])
    both, body = first + then, len(first) - len(QUERY)
    for cut in (*range(body, len(first) + 30), len(both) - 3, len(both) - 1):
        received = await world.paths.compare([both[:cut], both[cut:]])
        assert received.statuses == [200, *alone.statuses], cut


async def test_answer_waits_for_that_of_the_ordinary_request_before_it(world: World) -> None:
    headers = [*usual_headers(world.tokens["alice"]), ("Cookie", "a=1")]
    received = await world.paths.compare([make_request(headers, world.hold), plain(world, by="expired")])
    assert received.statuses == [200, 401]
    assert world.fast == []


async def test_body_of_an_ordinary_request_is_not_taken_for_a_request(world: World) -> None:
    """The request is refused before its body arrives."""
    headers = [*usual_headers(world.tokens["expired"]), ("Cookie", "a=1")]
    refused = make_request(headers, plain(world))
    head = refused[: -len(plain(world))]
    received = await world.paths.compare([head, plain(world), plain(world)], pauses=True)
    assert received.statuses == [401, 200]


@pytest.mark.parametrize("name", ["upgrade", "closing", "HTTP/1.0", "rubbish", "chunked with a length", "Expect"])
async def test_request_after_an_odd_one_gets_the_same_response(world: World, name: str) -> None:
    await world.paths.compare([ORDINARY[name](world), plain(world), plain(world)], pauses=True)


async def test_header_of_an_ordinary_request_is_not_taken_for_a_request(world: World) -> None:
    received = await world.paths.compare([LINE + b"X-Next: ", plain(world)])
    assert received.statuses == [200]
    assert world.fast == []


async def test_refused_request_does_not_wait_for_its_body(world: World) -> None:
    """The rest of the body is discarded, and the next request is answered."""
    refused, cut = plain(world, by="expired"), -10
    received = await world.paths.compare([refused[:cut]])
    assert received.statuses == [401]
    received = await world.paths.compare([refused[:cut], refused[cut:-2], refused[-2:] + plain(world)])
    assert received.statuses == [401, 200]


async def test_client_that_leaves_before_its_body_is_logged_without_a_status(world: World) -> None:
    received = await world.paths.compare([plain(world)[:-1]])
    assert received.data == b""
    assert received.access_lines == ("POST /graphql no",)
    assert len(world.fast) == 1


async def test_requests_of_many_kinds_share_a_connection(world: World) -> None:
    names = ("plain", "anonymous", "hold", "chunked", "expired token", "GraphQL media type", "cookie", "large answer")
    requests = [(FAST | ORDINARY)[name](world) for name in names]
    for is_fast in (True, False):
        connection = world.paths.connect(is_fast=is_fast)
        for request in requests:
            await connection.send(request)
            await connection.answered()
        assert not connection.transport.is_closing()
        await connection.lose()
    assert len(world.fast) == 5


def _headers(tokens: list[str]) -> st.SearchStrategy[list[Header]]:
    values = {
        "Host": ["a.b", ""],
        "Accept": ["application/json", GRAPHQL, "*/*", "text/plain", "application/json;q=0.1, */*", ""],
        "Content-Type": ["application/json", "application/json; charset=utf-8", "text/plain", "a/b;charset=x"],
        "Authorization": [*[f"Bearer {token}" for token in tokens], "Basic x", "bearer", ""],
        "X-Request-Id": ["a", "two words", "a" * 65, ""],
        "X-Forwarded-For": ["192.0.2.1", "2001:db8::1, 10.1.1.1", "x"],
        "X-Forwarded-Proto": ["https", "HTTP", "ftp"],
        "Origin": ["https://other.example", "null"],
        "Connection": ["keep-alive", "close", "Upgrade", "close, keep-alive"],
        "Expect": ["100-continue", "200-ok"],
        "Transfer-Encoding": ["chunked", "identity", "gzip, chunked"],
        "Content-Encoding": ["gzip", "identity"],
        "Cookie": ["a=1", "__Host-session=x"],
        "Upgrade": ["h2c", "websocket"],
        "X-Any": ["", "a" * 3_000, "a\x00", "a\tb", "J\xf6rg", " spaced "],
    }  # fmt: skip
    one = st.sampled_from(sorted(values)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(values[name])))
    return st.lists(one, max_size=3)


@st.composite
def connections(draw: st.DrawFn, world: World) -> list[bytes]:
    """Draw the pieces of one to three requests on one connection."""
    bodies = [QUERY, world.hold, make_body("{ nothing }"), b"", b"{", b"[]", INTROSPECTION, QUERY.ljust(70_000)]
    sent, cuts = b"", set[int]()
    for _ in range(draw(st.integers(1, 3))):
        headers = usual_headers(world.tokens[draw(st.sampled_from(["alice", "alice", "alice", "expired", "garbage"]))])
        length: str | None = "right"
        body = draw(st.sampled_from(bodies))
        if draw(st.integers(0, 2)) == 0:
            for name in draw(st.sets(st.sampled_from([name for name, _ in headers]), max_size=1)):
                headers = without(headers, name)
            headers = draw(st.permutations(headers + draw(_headers(list(world.tokens.values())))))
            length = draw(st.sampled_from(["right"] * 6 + [None, "0", "5", "+5", str(len(body) + 9), "9" * 20]))
        if draw(st.booleans()):
            headers = in_odd_case(headers)
        sent += make_request(headers, body, length=length)
        if draw(st.integers(0, 3)):
            cuts.add(len(sent))
    sent += draw(st.sampled_from([b""] * 6 + [RUBBISH, b"\r\n", b"GET / HTTP/1.1\r\n\r\n"]))
    cuts |= draw(st.sets(st.integers(1, max(len(sent) - 1, 1)), max_size=2))
    edges = sorted({0, len(sent)} | cuts)
    return [sent[begin:end] for begin, end in pairwise(edges)]


async def test_random_connections_get_the_same_bytes_on_both_paths(world: World, pytestconfig: pytest.Config) -> None:
    drawn: list[list[bytes]] = []

    @settings(
        max_examples=pytestconfig.getoption("--http-examples"),
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(connections(world))
    def draw(pieces: list[bytes]) -> None:
        drawn.append(pieces)

    await asyncio.to_thread(draw)
    for pieces in drawn:
        await world.paths.compare(pieces)
    assert len(world.fast) >= len(drawn) / 4
