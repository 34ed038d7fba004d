"""The refusal of a request for tickets that breaks a rule of their tier."""

from datetime import datetime
from enum import StrEnum

from domain.errors import ErrorCode, Refusal
from domain.ids import TierId
from domain.text.phrases import format_tickets, format_time


class TierProblem(StrEnum):
    NOT_OPEN = "NOT_OPEN"
    SALE_ENDED = "SALE_ENDED"
    WITHDRAWN = "WITHDRAWN"
    BELOW_MINIMUM = "BELOW_MINIMUM"
    ABOVE_MAXIMUM = "ABOVE_MAXIMUM"


class TierRefused(Refusal):
    """`limit` is set with BELOW_MINIMUM and ABOVE_MAXIMUM, and `opens_at` with NOT_OPEN."""

    code = ErrorCode.TIER_REFUSED

    def __init__(
        self, tier_id: TierId, problem: TierProblem, *, limit: int | None = None, opens_at: datetime | None = None
    ) -> None:
        tickets = "" if limit is None else format_tickets(limit)
        opens = "" if opens_at is None else format_time(opens_at)
        what = {
            TierProblem.NOT_OPEN: f"The sale of this tier opens at {opens}; try again then, or choose another tier.",
            TierProblem.SALE_ENDED: "The sale of this tier has ended; choose another tier.",
            TierProblem.WITHDRAWN: "The organizer has taken this tier off sale; choose another tier.",
            TierProblem.BELOW_MINIMUM: f"An order needs at least {tickets} of this tier; ask for more.",
            TierProblem.ABOVE_MAXIMUM: f"An order can have at most {tickets} of this tier; ask for fewer.",
        }
        super().__init__(what[problem])
        self.tier_id = tier_id
        self.problem = problem
        self.limit = limit
        self.opens_at = opens_at
