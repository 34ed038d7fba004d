"""The sales rows of orders in MongoDB, and the figures summed from them.

The id of a row is the id of its event, so an event that is recorded twice is stored once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pymongo import ASCENDING
from pymongo.errors import BulkWriteError

from domain.analytics.sales import NO_SALES, ConcertSales, SalesFigures, SalesKind, SalesRow, figures_of
from domain.analytics.time_ranges import TimeRange
from domain.errors import TemporarilyUnavailable
from domain.ids import ConcertId, TierId
from storage.mongo.analytics.aggregation import aggregate, step_of
from storage.mongo.client import Database, Document, raises_unavailable
from storage.mongo.order_batch import DUPLICATE_KEY

# One row has a line for each tier; the first line represents the row.
_LINES: Document = {"$unwind": {"path": "$lines", "includeArrayIndex": "line"}}
_SUMS: Document = {
    "rows": {"$sum": {"$cond": [{"$eq": ["$line", 0]}, 1, 0]}},
    "tickets": {"$sum": "$lines.tickets"},
    "amountMinor": {"$sum": "$lines.amountMinor"},
}


class SalesStore:
    def __init__(self, database: Database) -> None:
        self._rows = database["sales_rows"]

    async def create_indexes(self) -> None:
        await self._rows.create_index([("concertId", ASCENDING), ("at", ASCENDING)])

    @raises_unavailable
    async def add(self, rows: Sequence[SalesRow]) -> None:
        """Record each row once. A row that is already stored is kept as it is.

        Raises TemporarilyUnavailable if it is unknown whether a majority has the rows; the caller
        must then add them again.
        """
        if not rows:
            return
        try:
            await self._rows.insert_many([_document(row) for row in rows], ordered=False)
        except BulkWriteError as error:
            details: Mapping[str, Any] = error.details or {}
            if details.get("writeConcernErrors"):
                raise TemporarilyUnavailable("A majority of the order database does not answer") from error
            if any(failure["code"] != DUPLICATE_KEY for failure in details.get("writeErrors", ())):
                raise

    async def read(self, concert_id: ConcertId) -> ConcertSales:
        """Return the figures of a concert. Raises TemporarilyUnavailable."""
        group = {"$group": {"_id": {"kind": "$kind", "tier": "$lines.tierId"}, **_SUMS}}
        found = await aggregate(self._rows, [{"$match": {"concertId": concert_id}}, _LINES, group])
        total, tiers = NO_SALES, dict[TierId, SalesFigures]()
        for sums in found:
            total += _figures(sums)
            tier_id = sums["_id"]["tier"]
            if tier_id is not None:
                # An order may have several tiers, so it is not counted in any tier.
                figures = replace(_figures(sums), orders=0)
                tiers[TierId(tier_id)] = tiers.get(TierId(tier_id), NO_SALES) + figures
        return ConcertSales(concert_id, sum(sums["rows"] for sums in found), total, tiers)

    async def read_over_time(self, concert_id: ConcertId, range_: TimeRange) -> Mapping[datetime, SalesFigures]:
        """Return the figures of each bucket that has sales, by its start.

        Raises TemporarilyUnavailable.
        """
        query = {"concertId": concert_id, "at": {"$gte": range_.start, "$lt": range_.end}}
        group = {"$group": {"_id": {"kind": "$kind", "step": step_of(range_)}, **_SUMS}}
        buckets = dict[datetime, SalesFigures]()
        for sums in await aggregate(self._rows, [{"$match": query}, _LINES, group]):
            start = range_.start_of(sums["_id"]["step"])
            buckets[start] = buckets.get(start, NO_SALES) + _figures(sums)
        return buckets


def _figures(sums: Document) -> SalesFigures:
    kind = SalesKind(sums["_id"]["kind"])
    return figures_of(kind, rows=sums["rows"], tickets=sums["tickets"], amount_minor=sums["amountMinor"])


def _document(row: SalesRow) -> Document:
    return {
        "_id": row.id,
        "concertId": row.concert_id,
        "orderId": row.order_id,
        "kind": row.kind,
        "at": row.at,
        "lines": [
            {"tierId": line.tier_id, "tickets": line.tickets, "amountMinor": line.amount_minor} for line in row.lines
        ],
    }
