"""Returns the units of expired holds to the stock, well within a second.

This worker also starts the recovery of a store that has lost its state.
"""

from domain.ids import ConcertId
from storage import scripts
from storage.connect import Stores
from storage.scripts import ScriptReplyError
from workers.concert_worker import ACTIVE_S, IDLE_S, MAX_REPEATS, RunResult, run_for_all

MAX_HOLDS_PER_CALL = 500
"""Maximum number of holds per script call. A call with this many takes about 10 ms."""


class ExpiryWorker:
    name = "expiry"
    active_s = ACTIVE_S
    idle_s = IDLE_S

    async def run_once(self, stores: Stores) -> int:
        return await run_for_all(self, stores)

    async def run_for(self, stores: Stores, concert_id: ConcertId) -> RunResult:
        total = 0
        for _ in range(MAX_REPEATS):
            run = await stores.hot_state.expire_holds(concert_id, limit=MAX_HOLDS_PER_CALL)
            match run.word:
                case "EXPIRED":
                    total += run.expired
                case "UNKNOWN" | "RECOVERING":
                    stores.recovery.start(concert_id)
                case _:
                    raise ScriptReplyError(scripts.EXPIRE_HOLDS.name, run.word)
            if run.expired < MAX_HOLDS_PER_CALL:
                return RunResult(total, is_active=run.is_active)
        return RunResult(total, is_active=True)
