"""The stock and the prices of a concert at one moment.

In each tier, available + held + sold + unsold = capacity. `unsold` is 0 unless the tier is
withdrawn or the concert is past.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from domain.ids import PersonId, TierId
from domain.money import CurrencyCode


class StockAhead(StrEnum):
    """A forecast of the stock left when a person in the queue is called."""

    AVAILABLE = "AVAILABLE"
    SOLD_OUT = "SOLD_OUT"


@dataclass(frozen=True, slots=True)
class TierStock:
    tier_id: TierId
    capacity: int
    held: int
    """Units in holds that may still become orders, including holds that are BUYING."""
    sold: int
    price_minor: int
    """The price of a ticket in a hold that is created at this version."""
    unsold: int = 0
    """Units that can no longer be sold, because the concert is past or the tier is withdrawn."""
    is_hidden: bool = False
    """Whether only the concert's organizer and admins see this tier."""
    is_withdrawn: bool = False

    @property
    def available(self) -> int:
        return self.capacity - self.held - self.sold - self.unsold

    @property
    def remaining(self) -> int:
        """Return how many units may still be sold. Held ones count, because a hold may end."""
        return 0 if self.is_withdrawn else self.available + self.held

    def unless_withdrawn(self) -> "TierStock":
        """Return the stock; if the tier is withdrawn, its available units are counted as unsold."""
        return self.off_sale() if self.is_withdrawn else self

    def off_sale(self) -> "TierStock":
        """Return the stock with its available units counted as unsold."""
        return replace(self, unsold=self.unsold + self.available)


@dataclass(frozen=True, slots=True)
class PriceRange:
    lowest_minor: int
    highest_minor: int


@dataclass(frozen=True, slots=True)
class Stock:
    """The stock of one concert at one `version`.

    `version` increases with every change within an `epoch`; a new epoch means that the state was
    rebuilt.
    """

    epoch: int
    version: int
    tiers: tuple[TierStock, ...]
    currency: CurrencyCode
    organizer_id: PersonId | None = None
    """The organizer of the concert, who also sees hidden tiers."""

    @property
    def public(self) -> "Stock":
        """Return the stock without its hidden tiers."""
        if not any(tier.is_hidden for tier in self.tiers):
            return self
        return replace(self, tiers=tuple(tier for tier in self.tiers if not tier.is_hidden))

    def tier(self, tier_id: TierId) -> TierStock | None:
        """Return the stock of a tier, or None if the tier is not on sale at this version."""
        return next((tier for tier in self.tiers if tier.tier_id == tier_id), None)

    @property
    def is_sold_out(self) -> bool:
        return all(tier.available == 0 for tier in self.tiers)

    @property
    def price_range(self) -> PriceRange | None:
        """Return the lowest and the highest price among the tiers that have tickets left to sell.

        Held tickets count, because a hold may end: otherwise, the last tickets of a tier would
        change the range with each hold. Returns None if no tickets are left.
        """
        prices = [tier.price_minor for tier in self.tiers if tier.remaining > 0]
        return PriceRange(min(prices), max(prices)) if prices else None
