"""A command refused by MongoDB is not an outage, and each error is logged with its request."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from domain.errors import TemporarilyUnavailable, describe_cause
from domain.ids import ConcertId
from resolvers.context import Context
from schema import Operation, execute
from schema.ids import of_concert
from storage.connect import Stores
from storage.mongo.client import Document, is_refusal, raises_unavailable
from tests.support.sale import PASSES, buy, hold, on_sale, viewer

REQUEST = "test-request"
JOIN = """mutation {
  joinQueue(input: {concertId: "%s"}) { __typename ... on TemporarilyUnavailableError { requestId } }
}"""


@asynccontextmanager
async def failing(mongo_url: str, code: int, *commands: str) -> AsyncIterator[None]:
    data = {"failCommands": list(commands), "appName": "onsale", "errorCode": code}
    with MongoClient[dict[str, Any]](mongo_url) as control:
        control.admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=data)
        try:
            yield
        finally:
            control.admin.command("configureFailPoint", "failCommand", mode="off")


async def ask(stores: Stores, document: str, by: str | None = None) -> dict[str, Any]:
    context = Context(stores, PASSES, viewer(by) if by else None, REQUEST)
    return (await execute(Operation(document, {}, None), context)).payload


@pytest.mark.parametrize(
    "query",
    [{"name": {"$regex": "a\x00b"}}, {"name": {"$regex": "("}}, {"$nothing": 1}, {"$expr": {"$nothing": 1}}],
    ids=["nul", "pattern", "operator", "expression"],
)
async def test_a_command_refused_by_mongodb_is_not_an_outage(stores: Stores, query: Document) -> None:
    @raises_unavailable
    async def find() -> object:
        return await stores.mongo["concerts"].find_one(query)

    await on_sale(stores, 1)
    with pytest.raises(PyMongoError) as raised:
        await find()
    assert is_refusal(raised.value)


@pytest.mark.parametrize("code", [6, 11, 13, 43, 50, 64, 89, 91, 112, 134, 189, 262, 9001, 10107, 11600, 13435, 14031])
def test_a_server_error_counts_as_an_outage(code: int) -> None:
    assert not is_refusal(OperationFailure("server error", code))


async def test_a_refused_command_causes_a_non_retryable_internal_error(stores: Stores, mongo_url: str) -> None:
    await on_sale(stores, 1)
    async with failing(mongo_url, 2, "find"):
        payload = await ask(stores, "{ concerts { nodes { id } } }")
    (error,) = payload["errors"]
    assert (error["extensions"]["code"], error["extensions"].get("retryable")) == ("INTERNAL", None)


async def test_an_outage_in_a_query_is_logged_with_cause_and_request(
    stores: Stores, mongo_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="schema.execution.top_level_errors")
    async with failing(mongo_url, 91, "find"):
        payload = await ask(stores, "{ concerts { nodes { id } } }")
    assert payload["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    (line,) = [text for text in caplog.messages if text.startswith(f"request {REQUEST} was answered ")]
    assert "failCommand" in line


async def test_an_outage_in_a_mutation_is_logged_with_cause_and_request(
    stores: Stores, mongo_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="schema.execution.top_level_errors")
    async with failing(mongo_url, 91, "find"):
        payload = await ask(stores, JOIN % of_concert(ConcertId("abcdefghjkmn")), by="alice")
    assert payload["data"]["joinQueue"] == {"__typename": "TemporarilyUnavailableError", "requestId": REQUEST}
    (line,) = [text for text in caplog.messages if text.startswith(f"request {REQUEST} was answered ")]
    assert "failCommand" in line


async def test_an_order_with_an_unknown_outcome_is_logged_with_its_cause(
    stores: Stores, mongo_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    concert = await on_sale(stores, 1)
    made = await hold(stores, concert, 1)
    async with failing(mongo_url, 91, "insert"):
        with caplog.at_level(logging.WARNING), pytest.raises(TemporarilyUnavailable):
            await buy(stores, made)
    (line,) = [record.getMessage() for record in caplog.records if record.name.endswith("order_batch")]
    assert made.id in line
    assert "failCommand" in line


def test_the_described_cause_is_the_first_error_in_the_chain() -> None:
    refusal = TemporarilyUnavailable("The store is unavailable")
    refusal.__cause__ = OSError("no route")
    assert describe_cause(refusal) == "OSError: no route"
    assert describe_cause(TemporarilyUnavailable("Too many", retry_after_s=2)).startswith("Too many; repeat")
