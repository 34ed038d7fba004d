"""Lotteries in MongoDB: each one commits to a secret before the first registration, and reveals it
once, with the values that its first opener recorded.

The secret leaves this module only inside a `Reveal` that a majority has acknowledged. `epoch` is
a fence: a recovery raises it, so registrations frozen in a store that lost state can no longer be
used.
"""

from datetime import UTC, datetime

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from domain.ids import ConcertId
from domain.lottery import Reveal, commitment_of, new_secret, seed_of
from storage.mongo.client import Database, Document, raises_unavailable

MAX_REMEMBERED = 10_000
_UNREVEALED = {"revealedAt": {"$exists": False}}


class LotteryStore:
    def __init__(self, database: Database) -> None:
        self._lotteries = database["lotteries"]
        self._reveals: dict[str, Reveal] = {}

    @raises_unavailable
    async def commit(self, concert_id: ConcertId, round_: int) -> str:
        """Return the commitment to this round's secret. Create both if they do not exist yet."""
        try:
            return await self._committed(concert_id, round_)
        except DuplicateKeyError:
            # Another process committed at the same time; its commitment is used.
            return await self._committed(concert_id, round_)

    async def _committed(self, concert_id: ConcertId, round_: int) -> str:
        secret = new_secret()
        created = {"secret": secret, "commitment": commitment_of(secret), "createdAt": datetime.now(UTC), "epoch": 0}
        found = await self._lotteries.find_one_and_update(
            {"_id": _id(concert_id, round_)},
            {"$setOnInsert": created},
            {"commitment": 1},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return str(found["commitment"])

    @raises_unavailable
    async def find_reveal(self, concert_id: ConcertId, round_: int) -> Reveal | None:
        """Return the reveal of a round, or None. Reveals are cached, because they never change."""
        id_ = _id(concert_id, round_)
        return self._reveals.get(id_) or self._remembered(id_, await self._lotteries.find_one(_revealed(id_)))

    @raises_unavailable
    async def read_epoch(self, concert_id: ConcertId, round_: int) -> int:
        """Return the epoch, which a caller of `reveal` must read before it freezes the queue.

        Raises LookupError if there is no commitment.
        """
        found = await self._lotteries.find_one({"_id": _id(concert_id, round_)}, {"epoch": 1})
        if found is None:
            raise LookupError(f"round {round_} of concert {concert_id} has no commitment")
        return int(found["epoch"])

    @raises_unavailable
    async def reveal(
        self, concert_id: ConcertId, round_: int, *, registrations: int, digest: str, epoch: int
    ) -> Reveal | None:
        """Reveal the secret of a round, unless it has already been revealed. Return the recorded
        reveal.

        The first reveal is recorded, and every later caller gets it. Return None if a recovery has
        raised the epoch in the meantime.
        """
        id_ = _id(concert_id, round_)
        unrevealed = await self._lotteries.find_one({"_id": id_} | _UNREVEALED, {"secret": 1})
        if unrevealed is not None:
            seed = seed_of(unrevealed["secret"], digest)
            now = datetime.now(UTC)
            fields = {"registrations": registrations, "digest": digest, "seed": seed, "revealedAt": now}
            await self._lotteries.update_one({"_id": id_, "epoch": epoch} | _UNREVEALED, {"$set": fields})
        return await self.find_reveal(concert_id, round_)

    @raises_unavailable
    async def reveal_or_invalidate(self, concert_id: ConcertId, round_: int, epoch: int) -> Reveal | None:
        """Return the recorded reveal, or None if there is none. Only a recovery calls this.

        If there is none, registrations that were frozen before this call can no longer be used.
        """
        id_ = _id(concert_id, round_)
        await self._lotteries.update_one({"_id": id_} | _UNREVEALED, {"$max": {"epoch": epoch}})
        return await self.find_reveal(concert_id, round_)

    def _remembered(self, id_: str, document: Document | None) -> Reveal | None:
        if document is None:
            return None
        if len(self._reveals) >= MAX_REMEMBERED:
            self._reveals.clear()
        self._reveals[id_] = found = _reveal(document)
        return found


def _id(concert_id: ConcertId, round_: int) -> str:
    return f"{concert_id}:{round_}"


def _revealed(id_: str) -> Document:
    return {"_id": id_, "revealedAt": {"$exists": True}}


def _reveal(document: Document) -> Reveal:
    return Reveal(
        round=int(document["_id"].rpartition(":")[2]),
        registrations=document["registrations"],
        digest=document["digest"],
        secret=document["secret"],
        seed=document["seed"],
        commitment=document["commitment"],
        revealed_at=document["revealedAt"],
    )
