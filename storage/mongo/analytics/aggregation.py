"""Aggregations over the events of one concert, which may be millions."""

from collections.abc import Sequence

from pymongo.errors import ExecutionTimeout

from domain.analytics.time_ranges import TimeRange
from domain.errors import TemporarilyUnavailable
from storage.mongo.client import Collection, Document, raises_unavailable

MAX_MS = 5_000
"""The time limit for one aggregation, which is shorter than the time the driver waits for the
answer.
"""


def step_of(range_: TimeRange, at: str = "$at") -> Document:
    """Return the expression for the start of the step that contains a time. A bucket of the range
    consists of one or more steps.
    """
    seconds = int(range_.step.total_seconds())
    return {"$dateTrunc": {"date": at, "unit": "second", "binSize": seconds}}


@raises_unavailable
async def aggregate(
    collection: Collection, pipeline: Sequence[Document], *, hint: Document | None = None
) -> list[Document]:
    """Return all documents of the result. `hint` is the index to use.

    Raises TemporarilyUnavailable if the aggregation fails or takes too long.
    """
    options = {} if hint is None else {"hint": hint}
    try:
        found = collection.aggregate(list(pipeline), allowDiskUse=True, maxTimeMS=MAX_MS, **options)
        return await found.to_list(None)
    except ExecutionTimeout as error:
        raise TemporarilyUnavailable(
            f"The figures could not be summed within {MAX_MS // 1000} seconds; request a shorter "
            "time, or try again later"
        ) from error
