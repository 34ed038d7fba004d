"""Links from the stock to its concert and tiers."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

import strawberry

import domain.concerts
from domain.ids import ConcertId, TierId
from domain.stock import Stock
from resolvers import concerts
from resolvers.load_once import NowOrLater
from schema.catalog.tiers import Tier
from schema.strawberry_fixes import Info

if TYPE_CHECKING:
    from schema.concerts import Concert

ConcertLink: TypeAlias = Annotated["Concert", strawberry.lazy("schema.concerts")] | None


def show_concert_link(info: Info, concert_id: ConcertId) -> NowOrLater["Concert | None"]:
    # At the top of the module, this import would be circular.
    from schema.concerts import Concert

    return concerts.show_concert(info.context, concert_id, lambda found: Concert.of(found) if found else None)


def show_tier_link(info: Info, concert_id: ConcertId, tier_id: TierId, stock: Stock) -> NowOrLater[Tier | None]:
    """Return the tier with the numbers of `stock`, or None if the concert does not list it yet."""

    def show(concert: domain.concerts.Concert | None) -> Tier | None:
        tier = concert.tier(tier_id) if concert else None
        return Tier.of(concert, tier, stock) if concert and tier else None

    return concerts.show_concert(info.context, concert_id, show)
