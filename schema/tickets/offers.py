"""The offer of a ticket, as the link in the email shows it before a person accepts."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain.ids import ConcertId, TierId
from resolvers.tickets import transfers as resolve
from schema.catalog.tiers import Tier, load_tier
from schema.concerts import Concert, load_concert
from schema.enums import TransferProblem
from schema.strawberry_fixes import Info, computed


@strawberry.type(description="A ticket that its holder offers to another person with a link.")
class TicketOffer:
    concert_id: strawberry.Private[ConcertId]
    tier_id: strawberry.Private[TierId]
    expires_at: datetime = strawberry.field(description="When the link expires, by the server's clock.")
    problem: TransferProblem | None = strawberry.field(
        description=(
            "Why you cannot accept the ticket. Null if you can, or already have. While you are signed out, only the"
            " link and the ticket are checked."
        )
    )

    @computed("The tier, even if it was hidden later. Null with a top-level error if the catalog is unavailable.")
    async def tier(self, info: Info) -> Tier | None:
        return await load_tier(info, self.tier_id)

    @computed("The concert. Null with a top-level error if the catalog is unavailable.")
    async def concert(self, info: Info) -> Concert | None:
        return await load_concert(info.context, self.concert_id)


TokenArgument = Annotated[
    str,
    strawberry.argument(
        description=("The part of the link after the `#`. Send it with POST, so that no log of addresses contains it.")
    ),
]


async def find_ticket_offer(info: Info, token: TokenArgument) -> TicketOffer | None:
    found = await resolve.find_ticket_offer(info.context, token)
    if found is None:
        return None
    return TicketOffer(
        concert_id=found.concert_id, tier_id=found.tier_id, expires_at=found.expires_at, problem=found.problem
    )
