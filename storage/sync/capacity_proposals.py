"""Proposals to lower capacities, while they are being decided.

One script decides whether the capacities fit, and caps new holds at them; only then does MongoDB
store them. A process that crashes in between leaves the caps behind. They can be removed once the
epoch in MongoDB has been raised, because a change is stored only under the epoch in which it was
decided.
"""

import logging
import secrets
from collections.abc import Sequence

from domain.concerts import Concert, Tier
from domain.errors import CapacityInUse, TemporarilyUnavailable, VersionConflict
from domain.ids import ConcertId
from storage import scripts
from storage.hot.guarded_client import RecoveryGuard
from storage.hot.hot_state import HotState
from storage.mongo.concerts import ConcertStore
from storage.scripts import ScriptReplyError

log = logging.getLogger(__name__)


class CapacityProposals:
    def __init__(self, concerts: ConcertStore, hot_state: HotState, *, guard: RecoveryGuard) -> None:
        self._concerts = concerts
        self._hot_state = hot_state
        self._guard = guard

    async def propose(self, before: Concert, lowered: Sequence[Tier], *, is_large: bool) -> str:
        """Cap new holds at the lower capacities if they fit, and return the id of the proposal.

        `before` is the concert as it is currently stored.

        Raises CapacityInUse, VersionConflict, and the guard's error if the store does not know the
        concert or a tier, or is recovering. A large change, whose units are withdrawn later, raises
        TemporarilyUnavailable in the first minute after a recovery.
        """
        proposal = secrets.token_hex(16)
        for _ in range(2):
            decision = await self._hot_state.lower_capacity(before, lowered, proposal=proposal, is_large=is_large)
            match decision.word:
                case "CAPPED":
                    return proposal
                case "IN_USE":
                    # Only this reply names a tier.
                    tier_id = decision.tier_id or lowered[0].id
                    raise CapacityInUse(tier_id, lowest=decision.lowest_capacity)
                case "BEHIND":
                    await self._hot_state.apply_concert(before)
                case "STALE":
                    raise VersionConflict(before.id, decision.version)
                case "TOO_SOON":
                    seconds = -(-decision.remaining_ms // 1000)
                    what = "The stock store was restarted, and earlier purchases may still arrive"
                    raise TemporarilyUnavailable(what, retry_after_s=seconds)
                case "UNKNOWN_TIER" | "UNKNOWN" | "RECOVERING":
                    # A recovery applies the concert, including a tier that the store does not know
                    # yet.
                    raise await self._guard.refusal_for(before.id, decision.word)
                case _:
                    raise ScriptReplyError(scripts.LOWER_CAPACITY.name, decision.word)
        raise TemporarilyUnavailable("Another change to this concert is in progress")

    async def drop_superseded(self, concert_id: ConcertId) -> None:
        """Remove the caps of all proposals for earlier versions of the concert."""
        concert = await self._concerts.get(concert_id)
        if concert is not None:
            await self._hot_state.apply_concert(concert)

    async def settle(self, concert_id: ConcertId, proposal: str) -> None:
        """Make sure that a proposal can no longer be stored, and remove its caps, unless it has
        already been stored. Raises TemporarilyUnavailable.
        """
        concert = await self._concerts.raise_epoch(concert_id)
        if concert is None or await self._hot_state.apply_concert(concert) == "APPLIED":
            return
        word = await self._hot_state.drop_proposal(concert_id, proposal)
        match word:
            case "DROPPED":
                log.info("a lower capacity for concert %s was not stored; its tickets are on sale again", concert_id)
            case "NO_PROPOSAL" | "UNKNOWN" | "RECOVERING":
                # A later version, a later proposal or a recovery has removed the caps or will
                # remove them.
                return
            case _:
                raise ScriptReplyError(scripts.DROP_PROPOSAL.name, word)
