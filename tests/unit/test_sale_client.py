"""The client repeats what got no answer, unchanged and elsewhere, and books only what was answered."""

import base64
import time
from collections.abc import Callable, Mapping

import httpx2
import orjson
import pytest

from bench.sale.client import Client, Denied, Server
from bench.sale.ledger import Ledger, Step
from bench.sale.tokens import forged

URLS = ("http://one.test", "http://two.test")
SUCCESS = {"data": {"holdTickets": {"__typename": "HoldTicketsSuccess", "hold": {"id": "h"}}}}
AWAY = {"data": {"holdTickets": {"code": "TEMPORARILY_UNAVAILABLE", "message": "m", "retryable": True}}}
SOLD_OUT = {"data": {"holdTickets": {"code": "SOLD_OUT", "message": "m", "retryable": False}}}

Answer = Mapping[str, object] | Exception | int


def error(code: str) -> dict[str, object]:
    return {"data": None, "errors": [{"message": "m", "extensions": {"code": code}}]}


def server(answers: list[Answer], requests: list[httpx2.Request]) -> Callable[[httpx2.Request], httpx2.Response]:
    def answer(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        following = answers.pop(0)
        if isinstance(following, Exception):
            raise following
        if isinstance(following, int):
            return httpx2.Response(following)
        return httpx2.Response(200, content=orjson.dumps(following))

    return answer


async def ask(*answers: Answer) -> tuple[object, list[httpx2.Request], Ledger]:
    requests: list[httpx2.Request] = []
    ledger = Ledger()
    transport = httpx2.MockTransport(server(list(answers), requests))
    servers = [Server(url, transport) for url in URLS]
    told = await Client(servers, ledger).ask(Step.HOLD, "document", {"input": {"key": "k"}}, "token")
    for each in servers:
        await each.aclose()
    return told, requests, ledger


async def test_an_answer_is_the_value_of_the_root_field() -> None:
    told, requests, ledger = await ask(SUCCESS)
    assert told == {"__typename": "HoldTicketsSuccess", "hold": {"id": "h"}}
    assert orjson.loads(requests[0].content) == {"query": "document", "variables": {"input": {"key": "k"}}}
    assert requests[0].headers["authorization"] == "Bearer token"
    assert (len(ledger.answered_ms[Step.HOLD]), ledger.retried.total()) == (1, 0)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (httpx2.ConnectError("refused"), "connection lost"),
        (httpx2.RemoteProtocolError("closed"), "connection lost"),
        (httpx2.ReadTimeout("slow"), "no answer in time"),
        (503, "HTTP 503"),
        (AWAY, "TEMPORARILY_UNAVAILABLE"),
        (error("UNAVAILABLE"), "UNAVAILABLE"),
    ],
)
async def test_what_got_no_answer_is_sent_again_unchanged_to_the_other_server(failure: Answer, reason: str) -> None:
    told, (first, second), ledger = await ask(failure, SUCCESS)
    assert told == SUCCESS["data"]["holdTickets"]
    assert first.content == second.content
    assert {first.url.host, second.url.host} == {"one.test", "two.test"}
    assert ledger.retried == {(Step.HOLD, reason): 1}
    assert len(ledger.answered_ms[Step.HOLD]) == 1


async def test_a_refusal_is_an_answer() -> None:
    told, requests, _ = await ask(SOLD_OUT)
    assert told == SOLD_OUT["data"]["holdTickets"]
    assert len(requests) == 1


@pytest.mark.parametrize("code", ["UNAUTHENTICATED", "FORBIDDEN", "BAD_USER_INPUT", "INTERNAL"])
async def test_another_top_level_error_is_an_answer(code: str) -> None:
    told, requests, _ = await ask(error(code))
    assert told == Denied(code, "m")
    assert len(requests) == 1


async def test_nothing_where_something_might_be_is_an_answer() -> None:
    told, _, _ = await ask({"data": {"concert": None}})
    assert told == Denied("NOTHING", "no such thing")


def test_a_forged_token_names_somebody_else_under_the_same_signature() -> None:
    def encode(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    token = f"header.{encode(orjson.dumps({'sub': 'me', 'exp': 1}))}.signature"
    header, claims, signature = forged(token).split(".")
    assert (header, signature) == ("header", "signature")
    assert orjson.loads(base64.urlsafe_b64decode(claims + "==")) == {
        "sub": "somebody-else",
        "exp": 1,
        "preferred_username": "olivia",
    }


async def test_whoever_is_too_fast_comes_back_when_told() -> None:
    limited = {
        "data": None,
        "errors": [{"message": "m", "extensions": {"code": "RATE_LIMITED", "retryAfterSeconds": 1}}],
    }
    started = time.monotonic()
    told, _, ledger = await ask(limited, SUCCESS)
    assert told == SUCCESS["data"]["holdTickets"]
    assert time.monotonic() - started >= 1.0
    assert ledger.retried == {(Step.HOLD, "RATE_LIMITED"): 1}
