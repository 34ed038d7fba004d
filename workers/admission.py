"""Calls people, and ends the entries, calls and passes that have expired.

It calls as many people as the free slots and the limit per minute allow. In a suspended waiting
room no one is called, but earlier calls and passes still expire.
"""

from domain.ids import ConcertId
from storage import scripts
from storage.connect import Stores
from storage.scripts import ScriptReplyError
from workers.concert_worker import ACTIVE_S, IDLE_S, MAX_REPEATS, RunResult, run_for_all

BOUND = 1_000
"""Maximum number of queue numbers that one script call examines."""


class AdmissionWorker:
    name = "admission"
    active_s = ACTIVE_S
    idle_s = IDLE_S

    async def run_once(self, stores: Stores) -> int:
        return await run_for_all(self, stores)

    async def run_for(self, stores: Stores, concert_id: ConcertId) -> RunResult:
        total = 0
        for _ in range(MAX_REPEATS):
            run = await stores.hot_state.run_admission(concert_id, bound=BOUND)
            match run.word:
                case "RAN":
                    total += run.called
                case "UNKNOWN" | "RECOVERING":
                    stores.recovery.start(concert_id)
                case _:
                    raise ScriptReplyError(scripts.ADMIT.name, run.word)
            if not run.is_bounded:
                return RunResult(total, is_active=run.is_active)
        return RunResult(total, is_active=True)
