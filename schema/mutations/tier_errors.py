"""The error type for requests that break a rule of a tier."""

from datetime import datetime

import strawberry

from domain.tiers import errors as tier_errors
from schema import ids
from schema.enums import TierProblem
from schema.mutations.domain_error import DomainError
from schema.strawberry_fixes import computed


@strawberry.type(
    description="The request breaks a rule of a tier; `problem` says which one. No tickets were held in any tier."
)
class TierRefusedError(DomainError):
    refusal: strawberry.Private[tier_errors.TierRefused]

    @computed("The tier whose rule the request breaks.")
    def tier_id(self) -> strawberry.ID:
        return ids.of_tier(self.refusal.tier_id)

    @computed("Which rule it breaks.")
    def problem(self) -> TierProblem:
        return self.refusal.problem

    # Fields named `reason` or `limit` would differ in type from those in other errors of the union,
    # and a client could not select both.
    @computed(
        "With BELOW_MINIMUM, how many tickets of the tier an order needs; with ABOVE_MAXIMUM, how many it can have."
        " Null with every other problem."
    )
    def tickets_per_order(self) -> int | None:
        return self.refusal.limit

    @computed("When the sale of the tier opens. Null unless it has not opened yet.")
    def opens_at(self) -> datetime | None:
        return self.refusal.opens_at
