"""Stock of a concert at one moment: per tier available + held + sold = capacity, always."""

from dataclasses import dataclass
from enum import StrEnum

from domain.ids import TierId


class StockAhead(StrEnum):
    """What is left for somebody in line when their turn comes, as far as can be told now."""

    AVAILABLE = "AVAILABLE"
    SOLD_OUT = "SOLD_OUT"


@dataclass(frozen=True, slots=True)
class TierStock:
    tier_id: TierId
    capacity: int
    held: int
    """In a hold that may still become an order; BUYING counts."""
    sold: int

    @property
    def available(self) -> int:
        return self.capacity - self.held - self.sold


@dataclass(frozen=True, slots=True)
class Stock:
    """`version` rises with every change inside an `epoch`; a new epoch means the state was rebuilt."""

    epoch: int
    version: int
    tiers: tuple[TierStock, ...]

    @property
    def is_sold_out(self) -> bool:
        return all(tier.available == 0 for tier in self.tiers)
