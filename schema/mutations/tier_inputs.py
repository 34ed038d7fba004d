"""The inputs for creating and changing tiers."""

from datetime import datetime

import strawberry
from strawberry import UNSET

from domain.concerts import TierChange, TierDraft
from domain.tiers.rules import Rule, TierRules, TierRulesPatch
from schema.ids import IdReader
from schema.scalars import SafeInt


@strawberry.input(description="A new tier.")
class TierInput:
    name: str = strawberry.field(description="The name of the tier.")
    description: str = strawberry.field(
        default="", description="A description of the tier for buyers, at most 1000 characters."
    )
    zone: str = strawberry.field(
        default="", description="The part of the venue, such as `Block B` or `Standing`. Empty if there is none."
    )
    price_minor: SafeInt = strawberry.field(
        description=(
            "The price in the smallest unit of the concert's currency. 0 means free. The lowest and highest prices"
            " depend on the currency."
        )
    )
    capacity: int = strawberry.field(description="The total number of tickets on sale.")
    sales_start_at: datetime | None = strawberry.field(
        default=None,
        description="When the sale of the tier starts, if later than the concert's. Null if both start together.",
    )
    sales_end_at: datetime | None = strawberry.field(
        default=None,
        description="When the sale of the tier ends, if earlier than the concert's. Null if both end together.",
    )
    min_per_order: int = strawberry.field(
        default=1, description="The minimum number of tickets of this tier in an order that has any."
    )
    max_per_order: int | None = strawberry.field(
        default=None,
        description=(
            "The maximum number of tickets of this tier in one order. Null if only the concert's limits apply."
        ),
    )
    is_hidden: bool = strawberry.field(
        default=False, description="Whether only the organizer and admins see the tier and sell its tickets."
    )

    def read(self) -> TierDraft:
        return TierDraft(
            name=self.name,
            price_minor=self.price_minor,
            capacity=self.capacity,
            description=self.description,
            zone=self.zone,
            rules=TierRules(
                sales_start_at=self.sales_start_at,
                sales_end_at=self.sales_end_at,
                min_per_order=self.min_per_order,
                max_per_order=self.max_per_order,
                is_hidden=self.is_hidden,
            ),
        )


@strawberry.input(
    description=(
        "A change to a tier. Fields that are null or absent stay unchanged, but null removes `salesStartAt`,"
        " `salesEndAt` and `maxPerOrder`. New rules apply to new holds; existing holds and orders keep their tickets."
    )
)
class TierChangeInput:
    tier_id: strawberry.ID = strawberry.field(description="The id of the tier to change.")
    name: str | None = strawberry.field(default=None, description="The new name.")
    description: str | None = strawberry.field(default=None, description="The new description.")
    zone: str | None = strawberry.field(default=None, description="The new part of the venue; empty for none.")
    price_minor: SafeInt | None = strawberry.field(
        default=None, description="The price for new holds. Existing holds keep their price."
    )
    capacity: int | None = strawberry.field(
        default=None, description="The new capacity. It cannot be lower than the number of tickets held or sold."
    )
    sales_start_at: datetime | None = strawberry.field(
        default=UNSET, description="The new start of the tier's sale. Null if it starts with the concert's."
    )
    sales_end_at: datetime | None = strawberry.field(
        default=UNSET, description="The new end of the tier's sale. Null if it ends with the concert's."
    )
    min_per_order: int | None = strawberry.field(
        default=None, description="The new minimum number of tickets of this tier in one order."
    )
    max_per_order: int | None = strawberry.field(
        default=UNSET,
        description=(
            "The new maximum number of tickets of this tier in one order. Null if only the concert's limits apply."
        ),
    )
    is_hidden: bool | None = strawberry.field(
        default=None,
        description=(
            "True hides the tier from everyone but the organizer and admins, who can still sell its tickets. People"
            " who have a hold or a ticket of the tier still see it there."
        ),
    )
    is_withdrawn: bool | None = strawberry.field(
        default=None,
        description=(
            "True takes the tickets that are neither held nor sold off sale for everyone; false puts them on sale"
            " again. The capacity does not change."
        ),
    )

    def read(self, reader: IdReader, path: str) -> TierChange:
        return TierChange(
            id=reader.tier(f"{path}.tierId", self.tier_id),
            name=self.name,
            price_minor=self.price_minor,
            capacity=self.capacity,
            description=self.description,
            zone=self.zone,
            rules=self._read_rules(),
        )

    def _read_rules(self) -> TierRulesPatch:
        kept_if_null: dict[str, Rule] = {
            "min_per_order": self.min_per_order,
            "is_hidden": self.is_hidden,
            "is_withdrawn": self.is_withdrawn,
        }
        removed_if_null: dict[str, Rule] = {
            "sales_start_at": self.sales_start_at,
            "sales_end_at": self.sales_end_at,
            "max_per_order": self.max_per_order,
        }
        return TierRulesPatch(
            tuple((name, value) for name, value in kept_if_null.items() if value is not None)
            + tuple((name, value) for name, value in removed_if_null.items() if value is not UNSET)
        )
