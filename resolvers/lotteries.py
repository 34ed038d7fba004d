"""What the lottery of a room shows: nothing but its commitment before the opening, and everything after it."""

from domain.lottery import LotteryProof, Reveal
from domain.queues import QueueEntry, WaitingRoom
from resolvers.context import Context


async def find_reveal(context: Context, room: WaitingRoom) -> Reveal | None:
    """Of this round. None before the opening, and for a room without a lottery."""
    if not room.settings.has_lottery:
        return None
    return await context.stores.lotteries.find_reveal(room.concert_id, room.settings.round)


async def build_proof(context: Context, entry: QueueEntry) -> LotteryProof | None:
    """None for who had no part in the lottery of their round, or has no number from it yet."""
    if entry.lot is None or entry.number is None:
        return None
    reveal = await context.stores.lotteries.find_reveal(entry.concert_id, entry.round)
    return reveal.proof(entry.lot, entry.number) if reveal and entry.lot <= reveal.registrations else None
