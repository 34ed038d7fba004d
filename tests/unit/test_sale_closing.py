"""A sale on a server that keeps running closes its concert, even if the sale fails."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import cast

import pytest

from bench.clients.http_client import Client, Denied, JsonObject
from bench.clients.ledger import Step
from proofs.sale import closing
from proofs.sale.closing import closed_at_the_end

CLOSED: JsonObject = {"__typename": "CloseConcertSuccess", "concert": {"id": "c", "status": "CLOSED"}}


class FakeServer:
    """Gives every mutation the same answer, or never answers if `answer` is None."""

    def __init__(self, answer: JsonObject | Denied | None) -> None:
        self.answer = answer
        self.asked: list[tuple[Mapping[str, object], str | None]] = []

    async def ask(
        self, step: Step, document: str, variables: Mapping[str, object], token: str | None
    ) -> JsonObject | Denied:
        self.asked.append((variables, token))
        if self.answer is None:
            await asyncio.Event().wait()
        assert self.answer is not None
        return self.answer

    @property
    def client(self) -> Client:
        return cast("Client", self)


@pytest.mark.parametrize("failure", [None, RuntimeError("the sale failed"), asyncio.CancelledError()])
async def test_concert_is_closed_however_the_sale_ends(failure: BaseException | None) -> None:
    server = FakeServer(CLOSED)
    with contextlib.suppress(RuntimeError, asyncio.CancelledError):
        async with closed_at_the_end(server.client, "c", "olivia's token"):
            assert server.asked == []
            if failure is not None:
                raise failure
    assert server.asked == [({"input": {"concertId": "c"}}, "olivia's token")]


@pytest.mark.parametrize("answer", [None, Denied("UNAUTHENTICATED", "expired"), {"code": "NOT_FOUND", "message": "m"}])
async def test_concert_that_could_not_be_closed_is_reported(
    answer: JsonObject | Denied | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(closing, "CLOSE_WITHIN_S", 0.0)
    async with closed_at_the_end(FakeServer(answer).client, "c", "olivia's token"):
        pass
    assert "the concert c is still on sale" in capsys.readouterr().err
