"""A process that must always run is restarted when it ends, without a loop, and replaced safely."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from storage.embedded.process import ServerStartError
from tests.support.waiting import wait_until
from web.processes import kept_process
from web.processes.child import Child, Command
from web.processes.kept_process import LONGEST_PAUSE_S, KeptProcess, ReplacementFailed, choose_pause_s
from web.processes.supervised import WORKERS

ROOT = Path(__file__).parents[2]
WORKING = """
import asyncio, sys
sys.path.insert(0, {root!r})
from web.processes.supervised import Inheritance, supervised, work_supervised
async def main():
    async with supervised(Inheritance.parse(sys.argv[-1])) as supervisor:
        await work_supervised(asyncio.Event().wait(), supervisor)
asyncio.run(main())
"""
ENDING = "raise SystemExit(7)"
SILENT = "import time; time.sleep(600)"


class Program:
    """A program whose text a test changes, as a release does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ended: list[Child] = []
        self.starts = 0
        self.write(WORKING)

    def write(self, text: str) -> None:
        self.path.write_text(text.replace("{root!r}", repr(str(ROOT))))

    async def start_child(self) -> Child:
        self.starts += 1
        command = Command(self.path, dict(os.environ))
        return await Child.start(command, WORKERS, None, on_end=self.ended.append)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path / "program.py")


@asynccontextmanager
async def kept(program: Program) -> AsyncIterator[KeptProcess]:
    """Start the process, and keep it running during the block."""
    process = KeptProcess("example", program.start_child)
    await process.start()
    keeping = asyncio.create_task(process.keep_running())
    try:
        yield process
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        await process.stop()


def pid_of(process: KeptProcess) -> int | None:
    return None if process.child is None else process.child.pid


def test_pauses_between_early_ends_grow_up_to_a_limit() -> None:
    assert [choose_pause_s(ends) for ends in range(5)] == [0, 1, 2, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


async def test_killed_process_is_restarted(program: Program) -> None:
    async with kept(program) as process:
        before = pid_of(process)
        assert before is not None
        os.kill(before, signal.SIGKILL)
        await wait_until(lambda: pid_of(process) not in (before, None), what="a restart")
    assert (program.starts, len(program.ended)) == (2, 2)


async def test_process_that_keeps_ending_is_reported_once(
    program: Program, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kept_process, "choose_pause_s", lambda _: 0.0)
    async with kept(program) as process:
        program.write(ENDING)
        first = process.child
        assert first is not None
        await first.kill()
        await wait_until(lambda: len(program.ended) > kept_process.SUSPECT_ENDS + 1, what="the restarts")
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert [line.partition(",")[0] for line in errors] == ["example has ended 3 times within 10 s of its start"]


async def test_process_that_ends_during_its_first_start_ends_the_start(program: Program) -> None:
    program.write(ENDING)
    with pytest.raises(ServerStartError, match="example ended with 7 during its start"):
        await KeptProcess("example", program.start_child).start()


async def test_process_that_never_starts_is_killed(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_process, "START_WITHIN_S", 0.2)
    program.write(SILENT)
    with pytest.raises(ServerStartError, match="example did not start within 0 s"):
        await KeptProcess("example", program.start_child).start()
    assert len(program.ended) == 1


async def test_replaced_process_ends_after_its_successor_is_ready(program: Program) -> None:
    async with kept(program) as process:
        earlier = process.child
        assert earlier is not None
        await process.replace()
        assert earlier.has_ended
        assert process.child is not None
        assert process.child.ready.is_set()
        assert pid_of(process) != earlier.pid
        assert earlier.metrics != []  # it has sent its last metrics
    assert (program.starts, len(program.ended)) == (2, 2)


@pytest.mark.parametrize(("text", "within_s", "why"), [(ENDING, 60.0, "ended with 7"), (SILENT, 0.5, "is not ready")])
async def test_process_goes_on_if_its_successor_is_not_ready(
    program: Program, monkeypatch: pytest.MonkeyPatch, text: str, within_s: float, why: str
) -> None:
    async with kept(program) as process:
        before = pid_of(process)
        program.write(text)
        monkeypatch.setattr(kept_process, "START_WITHIN_S", within_s)
        monkeypatch.setattr(kept_process, "READY_WITHIN_S", 0.0)
        with pytest.raises(ReplacementFailed, match=f"the new example {why}"):
            await process.replace()
        assert pid_of(process) == before
    assert len(program.ended) == 2


async def test_silent_process_does_not_answer_in_time(program: Program) -> None:
    async with kept(program) as process:
        child = process.child
        assert child is not None
        assert await child.refresh_metrics(60)
        os.kill(child.pid, signal.SIGSTOP)
        assert not await child.refresh_metrics(0.1)
        assert not await child.refresh_metrics(0.1)
        os.kill(child.pid, signal.SIGCONT)
        assert await child.refresh_metrics(60)
