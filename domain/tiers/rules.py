"""The rules of a tier: when its tickets are sold, how many of them fit in one order, and who sells
them.

The script that creates holds enforces them by the store's clock (`lib/tier_rules.lua`). Existing
holds and orders keep their tickets, however the rules change.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class TierRules:
    """The rules of one tier. The rules of its concert apply as well."""

    sales_start_at: datetime | None = None
    """None means the start of the concert's sale. The sale of a tier never starts earlier."""
    sales_end_at: datetime | None = None
    """None means the end of the concert's sale. The sale of a tier never ends later."""
    min_per_order: int = 1
    max_per_order: int | None = None
    """None means that only the limits of the concert apply."""
    is_hidden: bool = False
    """Whether only the concert's organizer and admins see the tier and sell its tickets."""
    is_withdrawn: bool = False
    """Whether the tickets that are neither held nor sold are off sale, until the tier is restored.
    """


NO_RULES = TierRules()

Rule: TypeAlias = datetime | int | bool | None


@dataclass(frozen=True, slots=True)
class TierRulesPatch:
    """A partial change. `given` contains the fields of TierRules to change and their new values."""

    given: tuple[tuple[str, Rule], ...] = ()

    def apply_to(self, before: TierRules) -> TierRules:
        changes: dict[str, Any] = dict(self.given)
        return replace(before, **changes)


NO_RULES_PATCH = TierRulesPatch()
