"""The lottery of a room as everybody can check it, and the proof of one place. How: docs/lottery.md."""

from datetime import datetime
from typing import Self

import strawberry

import domain.lottery
import domain.queues
from resolvers import lotteries as resolve
from resolvers.context import Context


@strawberry.type(
    description="The draw among those who join before the opening; note the commitment before it. Afterwards SHA-256 "
    "of the secret's bytes is the commitment, and SHA-256 of these bytes and the digest's text is the seed."
)
class RoomLottery:
    commitment: str = strawberry.field(description="SHA-256 of the secret, made before anybody could join.")
    is_revealed: bool
    registrations: int | None = strawberry.field(
        description="How many lots were drawn. Null before the opening, as all that follows."
    )
    digest: str | None = strawberry.field(description="Stands for who registered, and in which order; from SHA-1.")
    secret: str | None
    seed: str | None
    revealed_at: datetime | None

    @classmethod
    def of(cls, room: domain.queues.WaitingRoom, reveal: domain.lottery.Reveal | None) -> Self:
        return cls(
            commitment=room.settings.commitment,
            is_revealed=reveal is not None,
            registrations=reveal.registrations if reveal else None,
            digest=reveal.digest if reveal else None,
            secret=reveal.secret if reveal else None,
            seed=reveal.seed if reveal else None,
            revealed_at=reveal.revealed_at if reveal else None,
        )


@strawberry.type(
    description="That your lot drew your number: its rank among SHA-256 of the seed's bytes and the lot as 8 bytes, "
    "big-endian, for all lots from 1 to `registrations`. deploy/verify/lottery.py checks that, the seed and the secret."
)
class LotteryProof:
    lot: int = strawberry.field(description="The index you were registered under, from 1.")
    number: int = strawberry.field(description="The place in line that it drew.")
    registrations: int
    digest: str
    secret: str
    seed: str
    commitment: str = strawberry.field(description="Is it the one that `waitingRoom.lottery` showed before?")

    @classmethod
    def of(cls, proof: domain.lottery.LotteryProof) -> Self:
        reveal = proof.reveal
        return cls(
            lot=proof.lot,
            number=proof.number,
            registrations=reveal.registrations,
            digest=reveal.digest,
            secret=reveal.secret,
            seed=reveal.seed,
            commitment=reveal.commitment,
        )


async def load_lottery(context: Context, room: domain.queues.WaitingRoom) -> RoomLottery | None:
    """Raises TemporarilyUnavailable."""
    if not room.settings.has_lottery:
        return None
    return RoomLottery.of(room, await resolve.find_reveal(context, room))


async def load_proof(context: Context, entry: domain.queues.QueueEntry) -> LotteryProof | None:
    """Raises TemporarilyUnavailable."""
    proof = await resolve.build_proof(context, entry)
    return LotteryProof.of(proof) if proof else None
