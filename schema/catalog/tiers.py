"""The tiers of concerts, with numbers that all come from one read of the stock."""

from collections.abc import Callable
from datetime import datetime
from inspect import isawaitable
from typing import Self, TypeVar

import strawberry

import domain.concerts
import domain.stock
from domain.ids import TierId, concert_of
from resolvers import concerts as resolve
from resolvers.history import is_past
from resolvers.load_once import NowOrLater
from schema import ids
from schema.scalars import Money
from schema.strawberry_fixes import Info, computed, selects

Shown = TypeVar("Shown")

TIER_STOCK = frozenset({"available", "held", "sold"})
"""The fields of a tier that show its stock."""
STOCK_VERSION = frozenset({"version", "epoch"})


@strawberry.type(description="A price category of a concert.")
class Tier(ids.Node):
    concert: strawberry.Private[domain.concerts.Concert]
    tier: strawberry.Private[domain.concerts.Tier]
    name: str = strawberry.field(description="The name of the tier.")
    description: str = strawberry.field(description="A description of the tier for buyers. Empty if there is none.")
    zone: str = strawberry.field(
        description="The part of the venue, such as `Block B` or `Standing`. Empty if there is none."
    )
    price: Money = strawberry.field(
        description=(
            "The price of one ticket. It is read with the stock below a subscription, and if you select `available`"
            " or `version`."
        )
    )
    capacity: int = strawberry.field(
        description=(
            "The total number of tickets on sale. A large increase takes effect in steps. It is read in the same way"
            " as `price`."
        )
    )
    capacity_target: int | None = strawberry.field(
        description=(
            "The new capacity, while many tickets are being put on sale or taken off sale. Null afterward."
            " A lower capacity limits sales immediately."
        )
    )
    sales_start_at: datetime | None = strawberry.field(
        description="When the sale of the tier starts, if later than the concert's. Null if both start together."
    )
    sales_end_at: datetime | None = strawberry.field(
        description="When the sale of the tier ends, if earlier than the concert's. Null if both end together."
    )
    min_per_order: int = strawberry.field(
        description="The minimum number of tickets of this tier in an order that has any."
    )
    max_per_order: int | None = strawberry.field(
        description=(
            "The maximum number of tickets of this tier in one order. Null if only the concert's limits apply."
        )
    )
    is_hidden: bool = strawberry.field(
        description=(
            "Whether only the concert's organizer and admins see the tier and sell its tickets. Other people see it"
            " only in their own holds, orders and tickets."
        )
    )
    is_withdrawn: bool = strawberry.field(
        description="Whether the tickets that are neither held nor sold are off sale, so that `available` is 0."
    )

    @classmethod
    def of(
        cls, concert: domain.concerts.Concert, tier: domain.concerts.Tier, stock: domain.stock.Stock | None = None
    ) -> Self:
        """Return the tier, with the price and the capacity from `stock` if it is given."""
        can_move = not is_past(concert)
        on_sale = stock.tier(tier.id) if stock else None
        capacity = tier.on_sale if can_move else tier.capacity
        return cls(
            concert=concert,
            tier=tier,
            id=ids.of_tier(tier.id),
            name=tier.name,
            description=tier.description,
            zone=tier.zone,
            price=Money.of(on_sale.price_minor if on_sale else tier.price_minor, concert.currency),
            capacity=on_sale.capacity if on_sale else capacity,
            capacity_target=tier.capacity_target if can_move else None,
            sales_start_at=tier.rules.sales_start_at,
            sales_end_at=tier.rules.sales_end_at,
            min_per_order=tier.rules.min_per_order,
            max_per_order=tier.rules.max_per_order,
            is_hidden=tier.rules.is_hidden,
            is_withdrawn=tier.rules.is_withdrawn,
        )

    @computed(
        "Tickets available now. Null with a top-level error if the store is unavailable. `available`, `held` and `sold`"
        " are null without an error if the tier is hidden from you.",
        graphql_type=int | None,
    )
    def available(self, info: Info) -> NowOrLater[int | None]:
        return self._stock(info, lambda stock: stock.available)

    @computed("Tickets in active holds. Null if the store is unavailable.", graphql_type=int | None)
    def held(self, info: Info) -> NowOrLater[int | None]:
        return self._stock(info, lambda stock: stock.held)

    @computed("Tickets in orders. Null if the store is unavailable.", graphql_type=int | None)
    def sold(self, info: Info) -> NowOrLater[int | None]:
        return self._stock(info, lambda stock: stock.sold)

    @computed(
        "The version of the stock, which covers these numbers and the price: `Stock.version`. Null if the store is"
        " unavailable.",
        graphql_type=int | None,
    )
    def version(self, info: Info) -> NowOrLater[int | None]:
        return resolve.show_stock(info.context, self.concert, lambda stock: stock.version)

    @computed("The epoch of `version`. Null if the store is unavailable.", graphql_type=int | None)
    def epoch(self, info: Info) -> NowOrLater[int | None]:
        return resolve.show_stock(info.context, self.concert, lambda stock: stock.epoch)

    def _stock(self, info: Info, show: Callable[[domain.stock.TierStock], int]) -> NowOrLater[int | None]:
        def show_tier(stock: domain.stock.Stock) -> int | None:
            # A new tier reaches the store a moment after the database.
            return show(found) if (found := stock.tier(self.tier.id)) else None

        return resolve.show_stock(info.context, self.concert, show_tier)


def with_stock(
    info: Info, concert: domain.concerts.Concert, show: Callable[[domain.stock.Stock | None], Shown]
) -> NowOrLater[Shown]:
    """Return `show(stock)`, or `show(None)` if no field below shows the stock.

    All tiers in an answer, and its `Concert.stock`, therefore show the numbers of one read. Once
    the read is done, no tier needs its own task. A push has a stock only if its snapshot contains
    one.
    """
    if info.context.is_push:
        return show(info.context.stocks.get_if_loaded(concert.id))
    if selects(info, TIER_STOCK | STOCK_VERSION):
        return resolve.after_stock(info.context, concert, show)
    return show(None)


def show_tier(info: Info, concert: domain.concerts.Concert | None, tier_id: TierId) -> NowOrLater[Tier | None]:
    tier = concert.tier(tier_id) if concert else None
    if concert is None or tier is None:
        return None
    return with_stock(info, concert, lambda stock: Tier.of(concert, tier, stock))


async def load_tier(info: Info, tier_id: TierId) -> Tier | None:
    found = show_tier(info, await resolve.load_concert(info.context, concert_of(tier_id)), tier_id)
    return await found if isawaitable(found) else found
