"""The lottery of a waiting room.

Only its commitment is shown before the opening; everything is shown afterward.
"""

from domain.lottery import LotteryProof, Reveal
from domain.queues import QueueEntry, WaitingRoom
from resolvers.context import Context


async def find_reveal(context: Context, room: WaitingRoom) -> Reveal | None:
    """Return the reveal of the current round.

    Returns None before the opening and for a room without a lottery.
    """
    if not room.settings.has_lottery:
        return None
    return await context.stores.lotteries.find_reveal(room.concert_id, room.settings.round)


async def build_proof(context: Context, entry: QueueEntry) -> LotteryProof | None:
    """Return the proof of an entry.

    Returns None if the entry was not in its round's lottery or has no number yet.
    """
    if entry.lot is None or entry.number is None:
        return None
    reveal = await context.stores.lotteries.find_reveal(entry.concert_id, entry.round)
    return reveal.proof(entry.lot, entry.number) if reveal and entry.lot <= reveal.registrations else None
