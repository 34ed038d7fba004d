"""The records of who exported the orders of a concert."""

from datetime import datetime
from typing import Self

import strawberry

import domain.organizers.order_export


@strawberry.type(description="A record of an export of the concert's orders as a file. Records are kept permanently.")
class OrderExport:
    at: datetime = strawberry.field(description="When the export began.")
    person_id: str = strawberry.field(description="The `sub` in the token of the person who exported the orders.")
    person_name: str = strawberry.field(description="The person's name at that time.")
    rows: int | None = strawberry.field(
        description=(
            "How many orders were handed to the client. Null while the export runs, or if the server stopped before its"
            " end."
        )
    )
    is_complete: bool = strawberry.field(description="Whether all orders were sent.")

    @classmethod
    def of(cls, export: domain.organizers.order_export.OrderExport) -> Self:
        return cls(
            at=export.at,
            person_id=export.person_id,
            person_name=export.person_name,
            rows=export.rows,
            is_complete=export.is_complete,
        )
