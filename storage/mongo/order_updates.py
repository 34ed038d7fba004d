"""Updates orders by compare-and-set: concurrent updates share one command.

An update matches the version that the caller read. It is an upsert: if the stored order has another
version, the insert fails on the `_id`. MongoDB reports such failures for each update in a command,
but the number of matches only for the whole command.

Each update is encoded before it joins a group, because one that cannot be encoded would make the
whole group fail.
"""

import logging
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from domain.errors import TemporarilyUnavailable
from domain.orders import Order
from storage.grouped_calls import GroupedCalls
from storage.mongo.client import Document
from storage.mongo.order_batch import DUPLICATE_KEY, describe_failures
from storage.mongo.order_documents import order_document
from storage.mongo.order_work import EFFECTS, STEPS
from storage.mongo.orders import OrderStore

log = logging.getLogger(__name__)

SENDERS = 4
MAX_GROUP = 100
MAX_WAITING = 5_000
"""About two seconds' worth of updates. Beyond this limit, updates are refused; what caused them,
such as an event in the inbox, is still there and is tried again.
"""


class UpdateOutcome(Enum):
    WON = "won"
    LOST = "lost"
    """The stored order has another version: read it and decide again."""
    UNIT_TAKEN = "unit taken"
    """Another order has one of the units. Nothing was written."""
    UNKNOWN = "unknown"
    """The update may have happened, may still happen, or may never happen."""


@dataclass(frozen=True, slots=True)
class _Answer:
    outcome: UpdateOutcome
    why: str
    """Why the outcome is unknown, for the log of the caller."""


class OrderUpdates:
    """Sends updates in groups; `aclose` answers UNKNOWN to every update that is still waiting."""

    def __init__(self, orders: OrderStore) -> None:
        self._orders = orders
        self._calls = GroupedCalls(self._send, _unknown, senders=SENDERS, max_group=MAX_GROUP)

    async def update(self, order: Order) -> UpdateOutcome:
        """Write an order whose version is one higher than the stored one.

        An order without `work_at` also loses the lease of its worker, and one without `effects_at`
        loses the lease of the effects worker. Raises TemporarilyUnavailable if too many updates are
        waiting.
        """
        update = _update_of(order, datetime.now(UTC))
        if self._calls.waiting_count >= MAX_WAITING:
            raise TemporarilyUnavailable("Too many changes to orders are waiting to be recorded")
        answer = await self._calls.call(update)
        if answer.outcome is UpdateOutcome.UNKNOWN:
            log.warning("the outcome of version %d of order %s is unknown: %s", order.version, order.id, answer.why)
        return answer.outcome

    async def aclose(self) -> None:
        await self._calls.aclose()

    async def _send(self, updates: list[UpdateOne]) -> list[_Answer]:
        try:
            await self._orders.collection.bulk_write(updates, ordered=False)
        except BulkWriteError as error:
            details: Mapping[str, Any] = error.details or {}
            outcomes, why = update_outcomes(details, len(updates)), describe_failures(details)
            return [_Answer(outcome, why) for outcome in outcomes]
        return [_Answer(UpdateOutcome.WON, "")] * len(updates)


def update_outcomes(details: Mapping[str, Any], count: int) -> list[UpdateOutcome]:
    """Return the outcome of each update in a group, given a reply that reports failures.

    A write concern error makes every outcome unknown: what caused a refusal may still be rolled
    back.
    """
    if details.get("writeConcernErrors"):
        return [UpdateOutcome.UNKNOWN] * count
    outcomes = [UpdateOutcome.WON] * count
    for failure in details.get("writeErrors", ()):
        if failure["code"] != DUPLICATE_KEY:
            outcomes[failure["index"]] = UpdateOutcome.UNKNOWN
        elif "units" in failure.get("keyPattern", ()):
            outcomes[failure["index"]] = UpdateOutcome.UNIT_TAKEN
        else:
            outcomes[failure["index"]] = UpdateOutcome.LOST
    return outcomes


def _update_of(order: Order, now: datetime) -> UpdateOne:
    fields = order_document(order)
    # The worker that records changed orders finds every update, even one without an event.
    fields["updatedAt"] = max(now, fields["updatedAt"])
    query = {"_id": fields.pop("_id"), "concertId": fields.pop("concertId"), "version": order.version - 1}
    change: Document = {"$set": RawBSONDocument(bson.encode(fields))}
    idle = [fields for fields, at in ((STEPS, order.work_at), (EFFECTS, order.effects_at)) if at is None]
    if idle:
        change["$unset"] = {name: "" for fields in idle for name in astuple(fields)}
    return UpdateOne(query, change, upsert=True)


def _unknown(why: str) -> _Answer:
    return _Answer(UpdateOutcome.UNKNOWN, why)
