"""GraphQL over HTTP: methods, media types, bodies and tokens; each mistake gets one JSON error."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.responses import Response

from tests.support.shop import MAX_BODY_BYTES, Answer, Shop, shop_on
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUERY = '{"query": "{ __typename }"}'
JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
SENT = {"Content-Type": JSON}


def error_of(answer: httpx2.Response) -> Answer:
    """Return the only error in an answer after checking its request id."""
    (error,) = answer.json()["errors"]
    assert error["extensions"]["requestId"] == answer.headers["x-request-id"]
    return error


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}; charset=utf-8", GRAPHQL),
        (f"{GRAPHQL}, {JSON};q=0.9", GRAPHQL),
        (f"{GRAPHQL};q=0.5, {JSON};q=0.9", JSON),
        (f"{GRAPHQL}, {JSON}", GRAPHQL),
        (f"{JSON}, {GRAPHQL}", JSON),
        (f"{GRAPHQL}, */*", GRAPHQL),
        (f"{JSON};q=0, */*", GRAPHQL),
        (f"text/html, {GRAPHQL};q=0.1", GRAPHQL),
        ("APPLICATION/JSON", JSON),
    ],
)
async def test_answer_has_the_media_type_that_the_client_prefers(
    shop: Shop, accept: str | None, media_type: str
) -> None:
    headers = httpx2.Headers(SENT) if accept is None else httpx2.Headers({**SENT, "Accept": accept})
    request = shop.client.build_request("POST", "/graphql", content=QUERY, headers=headers)
    if accept is None:
        del request.headers["Accept"]
    answer = await shop.client.send(request)
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"{media_type}; charset=utf-8")
    assert answer.json()["data"] == {"__typename": "Query"}


@pytest.mark.parametrize(
    "accept", ["text/plain", "image/*", f"{JSON};q=0", f"{JSON};q=nonsense", f"{JSON}; charset=latin-1", ","]
)
async def test_accept_header_without_a_supported_type_gets_406(shop: Shop, accept: str) -> None:
    answer = await shop.client.post("/graphql", content=QUERY, headers={**SENT, "Accept": accept})
    assert (answer.status_code, error_of(answer)["extensions"]["code"]) == (406, "BAD_USER_INPUT")


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", GRAPHQL,
     "application/json; charset=latin-1"],
)  # fmt: skip
async def test_content_type_other_than_json_gets_415(shop: Shop, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = await shop.client.post("/graphql", content=QUERY.encode(), headers=headers)
    assert (answer.status_code, error_of(answer)["extensions"]["code"]) == (415, "BAD_USER_INPUT")


async def test_compressed_body_gets_415(shop: Shop) -> None:
    answer = await shop.client.post("/graphql", content=b"\x1f\x8b", headers={**SENT, "Content-Encoding": "gzip"})
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b"{", "not valid JSON"),
        (b'{"query": "{ __typename }"} {}', "not valid JSON"),
        (b'{"query": "\xff"}', "not valid JSON in UTF-8"),
        (b'{"query": "\\ud800"}', "surrogate"),
        (b'{"query": "{ __typename }", "variables": {"a": NaN}}', "not valid JSON"),
        (b'{"query": "{ __typename }", "variables": ' + b'{"a":' * 2_000 + b"1" + b"}" * 2_000 + b"}", "depth limit"),
        (b"[" + QUERY.encode() + b"]", "batches"),
        (b'"{ __typename }"', "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"{}", "`query` is missing"),
        (b'{"query": null}', "`query` is missing"),
        (b'{"query": 1}', "`query` is a number"),
        (b'{"query": "{ __typename }", "operationName": true}', "`operationName` is a boolean"),
        (b'{"query": "{ __typename }", "variables": "{}"}', "`variables` is a string"),
        (b'{"query": "{ __typename }", "variables": []}', "`variables` is a list"),
        (b'{"query": "{ __typename }", "extensions": 1.5}', "`extensions` is a number"),
        (b'{"query": ["{ __typename }"]}', "`query` is a list"),
        (b'{"query": {"a": 1}}', "`query` is an object"),
    ],
)
async def test_body_that_is_not_a_request_gets_400(shop: Shop, body: bytes, words: str) -> None:
    answer = await shop.client.post("/graphql", content=body, headers=SENT)
    error = error_of(answer)
    assert (answer.status_code, error["extensions"]["code"]) == (400, "BAD_USER_INPUT")
    assert words in error["message"]


async def test_client_that_sends_a_10_mb_body_receives_413(shop: Shop) -> None:
    body = b'{"query": "' + b"#" * 10_000_000 + b'"}'
    answer = await shop.client.post("/graphql", content=body, headers=SENT)
    assert (answer.status_code, error_of(answer)["extensions"]["code"]) == (413, "BAD_USER_INPUT")
    assert str(MAX_BODY_BYTES) in error_of(answer)["message"]
    assert (await shop.fields("{ __typename }")) == {"__typename": "Query"}


async def test_oversized_body_without_a_content_length_gets_413(shop: Shop) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 10_000

    answer = await shop.client.post("/graphql", content=chunks(), headers=SENT)
    assert (answer.status_code, error_of(answer)["extensions"]["code"]) == (413, "BAD_USER_INPUT")


async def test_body_of_exactly_the_maximum_size_is_accepted(shop: Shop) -> None:
    answer = await shop.client.post("/graphql", content=QUERY.ljust(MAX_BODY_BYTES), headers=SENT)
    assert answer.json()["data"] == {"__typename": "Query"}


async def test_oversized_request_is_answered_before_it_is_fully_sent(shop: Shop) -> None:
    """The client receives the answer after sending only one byte of the announced body."""
    url = shop.client.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10000000\r\n\r\n{"
    )
    try:
        async with asyncio.timeout(60):
            assert await reader.readline() == b"HTTP/1.1 413 Request Entity Too Large\r\n"
    finally:
        writer.close()
        await writer.wait_closed()


async def test_client_that_disconnects_mid_request_causes_no_warning(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    url = shop.client.base_url
    _, writer = await asyncio.open_connection(url.host, url.port)
    with caplog.at_level(logging.INFO):
        writer.write(
            b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        await writer.drain()
        writer.close()
        await wait_until(lambda: "no answer" in caplog.text, what="the end of the request")
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    # The stores may warn of a slow machine.
    assert [record for record in warnings if not record.name.startswith("storage")] == []
    assert await shop.fields("{ __typename }") == {"__typename": "Query"}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_other_methods_get_405(shop: Shop, method: str) -> None:
    answer = await shop.client.request(method, "/graphql")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    assert error_of(answer)["extensions"]["code"] == "BAD_USER_INPUT"


async def test_query_can_be_sent_over_get(shop: Shop) -> None:
    parameters = {"query": "query Q($n: String!) { __type(name: $n) { name } }", "variables": '{"n": "Concert"}'}
    answer = await shop.client.get("/graphql", params={**parameters, "operationName": "Q"})
    assert answer.json()["data"] == {"__type": {"name": "Concert"}}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ([], "`query` is missing"),
        ([("query", "{ __typename }"), ("query", "{ __typename }")], "more than once"),
        ([("query", "{ __typename }"), ("variables", "{")], "`variables` is not valid JSON"),
        ([("query", "{ __typename }"), ("variables", "[]")], "`variables` is a list"),
    ],
)
async def test_get_with_invalid_parameters_gets_400(shop: Shop, parameters: list[tuple[str, str]], words: str) -> None:
    answer = await shop.client.get("/graphql", params=tuple(parameters))
    assert (answer.status_code, error_of(answer)["extensions"]["code"]) == (400, "BAD_USER_INPUT")
    assert words in error_of(answer)["message"]


async def test_mutation_over_get_receives_405_and_changes_nothing(shop: Shop) -> None:
    concert = await shop.on_sale()
    input_ = (
        f'{{concertId: "{concert.id}", lines: [{{tierId: "{concert.tiers[0]}", quantity: 1}}], idempotencyKey: "k"}}'
    )
    document = f"mutation {{ holdTickets(input: {input_}) {{ __typename }} }}"
    answer = await shop.client.get("/graphql", params={"query": document}, headers=shop.headers("alice"))
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert error_of(answer)["extensions"]["code"] == "BAD_USER_INPUT"
    assert await shop.stock(concert) == [(100, 0, 0), (2, 0, 0)]


async def test_browser_gets_a_page_that_explains_how_to_send_requests(shop: Shop) -> None:
    answer = await shop.client.get("/graphql", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f"curl {shop.client.base_url.join('/graphql')} " in answer.text


@pytest.mark.parametrize(
    ("media_type", "status"), [(JSON, 200), (GRAPHQL, 400)], ids=["plain JSON", "graphql-response+json"]
)
@pytest.mark.parametrize(
    "document",
    ["{", "{ nothing }", "query ($id: ID!) { node(id: $id) { id } }", "query A { __typename } query B { __typename }"],
)
async def test_answer_to_an_invalid_document_has_no_data(
    shop: Shop, document: str, media_type: str, status: int
) -> None:
    headers = {"Accept": media_type}
    answer = await shop.client.post("/graphql", json={"query": document}, headers=headers)
    assert (answer.status_code, "data" in answer.json()) == (status, False)
    assert error_of(answer)["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("media_type", [JSON, GRAPHQL])
async def test_refused_field_does_not_affect_the_others(shop: Shop, media_type: str) -> None:
    answer = await shop.client.post(
        "/graphql", json={"query": '{ order(id: "x") { id } __typename }'}, headers={"Accept": media_type}
    )
    assert (answer.status_code, answer.json()["data"]) == (200, {"order": None, "__typename": "Query"})
    assert error_of(answer)["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("authorization", ["", "Bearer", "Basic YTpi", "Bearer not.a.token", "nonsense", 'Bearer "\\'])
async def test_malformed_authorization_gets_401(shop: Shop, authorization: str) -> None:
    answer = await shop.client.post(
        "/graphql", content=QUERY, headers={**SENT, "Authorization": authorization, "Accept": GRAPHQL}
    )
    assert (answer.status_code, answer.headers["content-type"]) == (401, f"{GRAPHQL}; charset=utf-8")
    assert answer.headers["www-authenticate"].startswith('Bearer realm="onsale", error="invalid_token"')
    assert error_of(answer)["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    "claims",
    [{"exp": int(time.time()) - 60}, {"aud": "other"}, {"typ": "Refresh"}, {"iss": "https://elsewhere.example"}],
    ids=["expired", "for another audience", "not an access token", "of another issuer"],
)
async def test_bad_token_gets_401_for_public_fields_too(shop: Shop, claims: dict[str, object]) -> None:
    headers = {"Authorization": f"Bearer {shop.token('alice', **claims)}"}
    answer = await shop.client.post("/graphql", json={"query": "{ serverTime }"}, headers=headers)
    assert (answer.status_code, error_of(answer)["extensions"]["code"]) == (401, "UNAUTHENTICATED")


async def test_two_authorization_headers_get_401(shop: Shop) -> None:
    twice = [("Authorization", f"Bearer {shop.token(name)}") for name in ("alice", "olivia")]
    answer = await shop.client.post("/graphql", content=QUERY, headers=[*SENT.items(), *twice])
    assert (answer.status_code, error_of(answer)["extensions"]["code"]) == (401, "UNAUTHENTICATED")


async def test_unavailable_issuer_causes_a_retryable_503(shop: Shop) -> None:
    async with shop_on(shop.stores, shop.redis_url) as other:
        other.issuer.failure = Response(status_code=500)
        answer = await other.client.post("/graphql", content=QUERY, headers=SENT | other.headers("alice"))
    error = error_of(answer)
    assert (answer.status_code, error["extensions"]["code"]) == (503, "UNAVAILABLE")
    assert error["extensions"]["retryable"] is True
    assert answer.headers["retry-after"] == str(error["extensions"]["retryAfterSeconds"])


async def test_request_id_from_the_client_is_kept(shop: Shop) -> None:
    answer = await shop.client.post("/graphql", content=b"{", headers={**SENT, "X-Request-Id": "mine-1"})
    assert error_of(answer)["extensions"]["requestId"] == "mine-1"


async def test_any_origin_may_send_requests_without_credentials(shop: Shop) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, content-type"}
    preflight = await shop.client.options("/graphql", headers={"Origin": "https://shop.example", **asked})
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, "*")
    assert "access-control-allow-credentials" not in preflight.headers
    answer = await shop.client.post("/graphql", content=QUERY, headers={**SENT, "Origin": "https://shop.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
