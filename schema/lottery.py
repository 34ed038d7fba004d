"""The lottery of a room, and the public proof of one entry.

docs/lottery.md describes the method.
"""

from datetime import datetime
from typing import Self

import strawberry

import domain.lottery
import domain.queues
from resolvers import lotteries as resolve
from resolvers.context import Context


@strawberry.type(
    description=(
        "The lottery among the people who join before the opening. To check it, write down the commitment before"
        " the opening. Afterward, check that it is the SHA-256 of the secret's bytes, and that the seed is"
        " the SHA-256 of those bytes followed by the digest's text."
    )
)
class RoomLottery:
    commitment: str = strawberry.field(
        description="The SHA-256 of the secret, published before the first person could join."
    )
    is_revealed: bool = strawberry.field(description="Whether the secret has been revealed and the order drawn.")
    registrations: int | None = strawberry.field(
        description="How many lots were drawn. Null before the opening, as are the fields below."
    )
    digest: str | None = strawberry.field(description="A SHA-1 digest of the registrations in order.")
    secret: str | None = strawberry.field(description="The secret, as hexadecimal digits.")
    seed: str | None = strawberry.field(description="The seed, as hexadecimal digits.")
    revealed_at: datetime | None = strawberry.field(description="When the secret was revealed.")

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
    description=(
        "Proof that your lot drew your number, which is the rank of the lot's hash among the hashes of "
        "lots 1 to `registrations`. A lot's hash is the SHA-256 of the seed's bytes followed by "
        "the lot as 8 bytes, big-endian. deploy/verify/lottery.py checks the number, the seed and the"
        " secret."
    )
)
class LotteryProof:
    lot: int = strawberry.field(description="The index of your registration, starting at 1.")
    number: int = strawberry.field(description="The queue number that the lot drew.")
    registrations: int = strawberry.field(description="How many lots were drawn.")
    digest: str = strawberry.field(description="A SHA-1 digest of the registrations in order.")
    secret: str = strawberry.field(description="The secret, as hexadecimal digits.")
    seed: str = strawberry.field(description="The seed, as hexadecimal digits.")
    commitment: str = strawberry.field(
        description="Compare it with the commitment that `waitingRoom.lottery` showed before the opening."
    )

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
    """Return the room's lottery, or None if it has none. Raises TemporarilyUnavailable."""
    if not room.settings.has_lottery:
        return None
    return RoomLottery.of(room, await resolve.find_reveal(context, room))


async def load_proof(context: Context, entry: domain.queues.QueueEntry) -> LotteryProof | None:
    """Return the entry's lottery proof, or None if it has none. Raises TemporarilyUnavailable."""
    proof = await resolve.build_proof(context, entry)
    return LotteryProof.of(proof) if proof else None
