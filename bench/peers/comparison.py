"""Compares Onsale with its peers: every server does the same work, in interleaved rounds."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from bench.peers.loads import Load
from bench.peers.onsale import describe_settings
from bench.peers.participants import Participant
from bench.peers.peers import Peer
from bench.peers.rounds import Attempt, Key, Schedule, check_all, choose_peers, open_participants
from bench.peers.versions import describe_peer, tool_versions
from bench.provenance import describe_run
from bench.runs import Result
from bench.stock_sale import store_versions


@dataclass(frozen=True, slots=True)
class Comparison(Generic[Key]):
    title: str
    time_limit_s: float
    """After this, no new run begins."""
    takes_part: Callable[[Peer], bool]
    list_attempts: Callable[[Sequence[Participant]], Mapping[Key, tuple[Participant, Attempt]]]
    show: Callable[[Key, Result], None]
    summarize: Callable[[Mapping[Key, list[Result]]], Result]
    with_pass: bool = False
    """Whether Onsale takes part twice: with a queue pass for each buyer, and without."""
    loads: Sequence[Load] = ()
    """The loads with which Onsale takes part once more each."""

    async def run(self, names: Sequence[str], *, rounds: int, python: Path, repeats: bool) -> Result:
        """Return the result, with the machine and the versions.

        `names` are the peers; all if there are none. `repeats` repeats disturbed runs.
        """
        chosen, skipped = choose_peers(names)
        peers = [peer for peer in chosen if self.takes_part(peer)]
        versions = {**store_versions(), **tool_versions()}
        head = describe_run(settings=describe_settings(), python=python, versions=versions)
        with tempfile.TemporaryDirectory(prefix="onsale-bench-") as name:
            opened = open_participants(Path(name), peers, python=python, with_pass=self.with_pass, loads=self.loads)
            async with opened as participants:
                attempts = self.list_attempts(participants)
                schedule = Schedule(len(attempts) * rounds, self.time_limit_s, repeats=repeats)
                await check_all(participants, schedule)
                results = await schedule.run_rounds(self.title, rounds, attempts, self.show)
        described = {peer.name: describe_peer(peer) for peer in peers}
        ended = {"skipped": skipped, **schedule.describe_failures(), "rounds": rounds, "peers": described}
        return {**head, **self.summarize(results), **ended}
