"""The stock of a concert at one moment. In each tier, available + held + sold + unsold = capacity;
`unsold` is 0 until the concert is past.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from domain.ids import TierId


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
    unsold: int = 0
    """Units that can no longer be sold, because the concert is past."""

    @property
    def available(self) -> int:
        return self.capacity - self.held - self.sold - self.unsold

    def off_sale(self) -> "TierStock":
        """Return the stock with its available units counted as unsold."""
        return replace(self, unsold=self.unsold + self.available)


@dataclass(frozen=True, slots=True)
class Stock:
    """The stock of one concert at one `version`.

    `version` increases with every change within an `epoch`; a new epoch means that the state was
    rebuilt.
    """

    epoch: int
    version: int
    tiers: tuple[TierStock, ...]

    @property
    def is_sold_out(self) -> bool:
        return all(tier.available == 0 for tier in self.tiers)
