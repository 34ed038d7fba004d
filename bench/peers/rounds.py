"""Interleaved rounds: in each round, every participant does each piece of work once.

A participant that answers incorrectly before the first round, or whose runs fail several times, is
left out of the rest, and the result says why. A run that other processes disturbed is repeated only
while the benchmark is ahead of its schedule, so that it ends in time.
"""

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from bench.clients.console import write_status
from bench.metrics import NotMeasured
from bench.peers.build import BY_FOLDER, BuildFailed, is_current, make_keys
from bench.peers.loads import Load
from bench.peers.onsale import OnsaleParticipant
from bench.peers.participants import Participant, PeerParticipant
from bench.peers.peers import BY_NAME, PEERS, Peer
from bench.peers.servers import IN_MEMORY, run_peer_store
from bench.runs import TRIES, Result, run_undisturbed
from storage.embedded import supervisor
from storage.embedded.process import ServerProcess, ServerStartError

MAX_FAILURES = 3
"""One failed run may be an accident. After three, a participant is left out."""
RUN_TIMEOUT_S = 180.0
"""The longest that one run may take, including the start of its server."""
Attempt = Callable[[], Awaitable[Result]]
Key = TypeVar("Key")
"""Names a participant, and a piece of work that it does in each round."""


@dataclass(slots=True)
class Schedule:
    total_runs: int
    """All runs of all rounds, if no participant fails."""
    time_limit_s: float
    repeats: bool = True
    """Whether disturbed runs are repeated."""
    failed: dict[str, str] = field(default_factory=dict)
    """The participants that are left out, and why."""
    failures: Counter[str] = field(default_factory=Counter)
    done: int = 0
    began_s: float = field(default_factory=time.monotonic)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.began_s

    @property
    def is_over(self) -> bool:
        return self.elapsed_s >= self.time_limit_s

    @property
    def is_ahead(self) -> bool:
        return self.elapsed_s < self.time_limit_s * self.done / self.total_runs

    @property
    def tries(self) -> int:
        return TRIES if self.repeats and self.is_ahead else 1

    async def run(self, name: str, attempt: Attempt) -> Result | None:
        """Return the result of a run, or None if it fails, is left out, or would begin too late."""
        if name in self.failed or self.is_over:
            return None

        async def attempt_in_time() -> Result:
            async with asyncio.timeout(RUN_TIMEOUT_S):
                return await attempt()

        try:
            return await run_undisturbed(attempt_in_time, tries=self.tries)
        except (NotMeasured, ServerStartError, TimeoutError) as error:
            reason = str(error) or f"a run did not end within {RUN_TIMEOUT_S:.0f} s"
            write_status(f"  {name} failed: {reason}\n")
            self.failures[name] += 1
            if self.failures[name] == MAX_FAILURES:
                self.failed[name] = reason
            return None
        finally:
            self.done += 1

    async def run_rounds(
        self,
        title: str,
        rounds: int,
        attempts: Mapping[Key, tuple[Participant, Attempt]],
        show: Callable[[Key, Result], None],
    ) -> dict[Key, list[Result]]:
        """Run each attempt once per round, and return the results of those that succeed."""
        results: dict[Key, list[Result]] = {}
        for number in range(1, rounds + 1):
            write_status(f"{title}: round {number} of {rounds}\n")
            for key, (participant, attempt) in attempts.items():
                if (result := await self.run(participant.name, attempt)) is not None:
                    results.setdefault(key, []).append(result)
                    show(key, result)
        return results

    def describe_failures(self) -> Result:
        """Return the participants that are left out, and the number of each one's failed runs."""
        return {"failed": self.failed, "failed_runs": dict(self.failures)}


@asynccontextmanager
async def run_onsale_stores(directory: Path) -> AsyncIterator[tuple[ServerProcess, ServerProcess, ServerProcess]]:
    """Run two Valkeys and a mongod for Onsale.

    The first Valkey writes nothing to a disk, like that of the peers. The second one writes each
    change to its disk before it answers, as that of `make run` does.
    """
    stores = (
        supervisor.make_valkey(directory / "valkey", options=IN_MEMORY),
        supervisor.make_valkey(directory / "durable-valkey"),
        supervisor.make_mongod(directory / "mongod"),
    )
    try:
        await asyncio.gather(*(store.start() for store in stores))
        yield stores
    finally:
        await asyncio.gather(*(store.stop() for store in stores))


@asynccontextmanager
async def open_participants(
    directory: Path, peers: Iterable[Peer], *, python: Path, with_pass: bool = False, loads: Sequence[Load] = ()
) -> AsyncIterator[list[Participant]]:
    """Yield Onsale and the peers that are built.

    With `with_pass`, Onsale takes part twice. It takes part once more, with passes, for each load.
    """
    try:
        make_keys()
    except BuildFailed as error:
        raise NotMeasured(f"there is no load generator: {error}") from error
    async with run_onsale_stores(directory) as (valkey, durable, mongod), run_peer_store(directory) as store:
        participants: list[Participant] = [
            OnsaleParticipant(valkey, mongod, directory, python, with_pass=kind)
            for kind in ((True, False) if with_pass else (False,))
        ]
        for load in loads:
            chosen = durable if load.is_durable else valkey
            participants.append(OnsaleParticipant(chosen, mongod, directory, python, with_pass=True, load=load))
        yield participants + [PeerParticipant(peer, store, directory, python) for peer in peers]


async def check_all(participants: Sequence[Participant], schedule: Schedule) -> None:
    for participant in participants:
        try:
            await participant.check()
        except (NotMeasured, ServerStartError) as error:
            schedule.failed[participant.name] = str(error)
            write_status(f"  {participant.name} does not answer correctly: {error}\n")


def choose_peers(names: Sequence[str]) -> tuple[list[Peer], dict[str, str]]:
    """Return the named peers, or all without names, and the reasons why others are skipped."""
    chosen = [BY_NAME[name] for name in names] or list(PEERS)
    skipped = {peer.name: _why_missing(peer) for peer in chosen if not _is_ready(peer)}
    for name, reason in skipped.items():
        write_status(f"{name} is skipped: {reason}\n")
    return [peer for peer in chosen if peer.name not in skipped], skipped


def _is_ready(peer: Peer) -> bool:
    # The load generator is built by every benchmark.
    return peer.folder in (None, "loadgen") or is_current(peer.folder)


def _why_missing(peer: Peer) -> str:
    tools = () if peer.folder is None else BY_FOLDER[peer.folder].tools
    missing = [tool for tool in tools if shutil.which(tool) is None]
    needed = f", which needs {' and '.join(missing)}" if missing else ""
    return f"it is not built from the present sources; run `make bench-peers`{needed}"
