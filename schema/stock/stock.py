"""The stock and the prices of a concert and of its tiers."""

from typing import TYPE_CHECKING, Self

import strawberry

import domain.stock
from domain.ids import ConcertId
from resolvers.load_once import NowOrLater
from schema import ids
from schema.catalog.tiers import Tier
from schema.enums import CurrencyCode
from schema.scalars import Money
from schema.stock.links import ConcertLink, show_concert_link, show_tier_link
from schema.strawberry_fixes import Info, computed

if TYPE_CHECKING:
    from schema.concerts import Concert


@strawberry.type(
    description=(
        "The stock and the price of one tier. `available` + `held` + `sold` equals `capacity` until thirty days after"
        " the concert, unless the tier is withdrawn: then `available` is 0. After that time, `available` is 0, except"
        " for the organizer and admins, who still see how many tickets were left."
    )
)
class TierStock:
    concert_id: strawberry.Private[ConcertId]
    stock: strawberry.Private[domain.stock.Stock]
    tier_stock: strawberry.Private[domain.stock.TierStock]
    tier_id: strawberry.ID = strawberry.field(description="The id of the tier.")
    capacity: int = strawberry.field(description="The total number of tickets on sale.")
    available: int = strawberry.field(description="Tickets available now.")
    held: int = strawberry.field(description="Tickets in active holds.")
    sold: int = strawberry.field(description="Tickets in orders.")
    price: Money = strawberry.field(
        description=(
            "The price of a ticket in a new hold, read at the same version as the stock. Existing holds keep their"
            " prices."
        )
    )

    @computed(
        "The tier, with the numbers of this stock. Null for a moment after a tier was added, and with a top-level error"
        " if the catalog is unavailable.",
        graphql_type=Tier | None,
    )
    def tier(self, info: Info) -> NowOrLater[Tier | None]:
        return show_tier_link(info, self.concert_id, self.tier_stock.tier_id, self.stock)

    @classmethod
    def of(cls, tier: domain.stock.TierStock, stock: domain.stock.Stock, concert_id: ConcertId) -> Self:
        return cls(
            concert_id=concert_id,
            stock=stock,
            tier_stock=tier,
            tier_id=ids.of_tier(tier.tier_id),
            capacity=tier.capacity,
            available=tier.available,
            held=tier.held,
            sold=tier.sold,
            price=Money.of(tier.price_minor, stock.currency),
        )


@strawberry.type(description="The lowest and the highest price of a ticket. They may be equal.")
class PriceRange:
    lowest: Money = strawberry.field(description="The lowest price.")
    highest: Money = strawberry.field(description="The highest price.")

    @classmethod
    def of(cls, range_: domain.stock.PriceRange, currency: CurrencyCode) -> Self:
        return cls(
            lowest=Money.of(range_.lowest_minor, currency),
            highest=Money.of(range_.highest_minor, currency),
        )


@strawberry.type(
    description=(
        "The stock and the prices of a concert at one moment. A new price is pushed immediately to "
        "all subscribers of `stockChanged` and `queuePosition`."
    )
)
class Stock:
    concert_id: strawberry.Private[ConcertId]
    version: int = strawberry.field(
        description="Increases with every change within an epoch. Discard payloads with a lower version."
    )
    epoch: int = strawberry.field(
        description="A new epoch means that the stock was rebuilt. Accept it regardless of its version."
    )
    tiers: list[TierStock] = strawberry.field(
        description=(
            "The stock of each tier, whether its sale is open or not. Only for the organizer and admins, hidden tiers"
            " are listed and count in `soldOut` and `priceRange`."
        )
    )
    sold_out: bool = strawberry.field(
        description="Whether no tickets are available in any tier. Holds may still return some."
    )
    price_range: PriceRange | None = strawberry.field(
        description="The price range of the tiers that have tickets available or in holds. Null if there are none."
    )

    @computed("The concert. Null with a top-level error if the catalog is unavailable.", graphql_type=ConcertLink)
    def concert(self, info: Info) -> NowOrLater["Concert | None"]:
        return show_concert_link(info, self.concert_id)

    @classmethod
    def of(cls, stock: domain.stock.Stock, concert_id: ConcertId) -> Self:
        return cls(
            concert_id=concert_id,
            version=stock.version,
            epoch=stock.epoch,
            tiers=[TierStock.of(tier, stock, concert_id) for tier in stock.tiers],
            sold_out=stock.is_sold_out,
            price_range=PriceRange.of(found, stock.currency) if (found := stock.price_range) else None,
        )
