"""Runs a benchmark with the server on one core, and everything else on another.

The server is a real `python app.py` on core 0. This program, the stores and the load generator run
on core 1. `run_server` starts an app, `drive` runs the load generator once, and `summarize` turns
the rounds of a measurement into medians.

Each result consists of what `bench.provenance` says about the run, the figures under the names that
the goals use, and `rows`: one for each server and size, with `{"median", "min", "max"}` for each
figure.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import sysconfig
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.clients.console import write_status
from bench.clients.servers import AppServer
from bench.metrics import NotMeasured
from bench.provenance import ROOT, SAME_INTERPRETER, describe_interpreter, write_results
from storage.embedded.process import ServerStartError
from web.server import configure_gc, run_program

SERVER_CORE = 0
CLIENT_CORE = 1
LOADGEN = ROOT / "build" / "peers" / "loadgen" / "loadgen"
"""The load generator, which `make bench-peers` builds from bench/peers/loadgen."""
MAX_NOISE = 0.08
"""The part of a core that other processes may use during a run. A noisier run is repeated."""
TRIES = 3
Result = dict[str, Any]


def pin_client() -> None:
    """Move this program to the client's core. The processes that it starts later run there too.

    Raises NotMeasured if the machine has too few cores.
    """
    missing = {SERVER_CORE, CLIENT_CORE} - os.sched_getaffinity(0)
    if missing:
        raise NotMeasured(f"the server and its clients each need a core; this machine offers no core {min(missing)}")
    os.sched_setaffinity(0, {CLIENT_CORE})


def find_loadgen() -> Path:
    """Return the path of the load generator. Raises NotMeasured if it has not been built."""
    path = Path(os.environ["LOADGEN"]) if "LOADGEN" in os.environ else LOADGEN
    if not path.exists():
        raise NotMeasured(f"the load generator {path} is missing; build it with `make bench-peers`")
    return path


class PinnedApp(AppServer):
    """Runs `python app.py` on the server's core, with an interpreter that may differ from ours."""

    def __init__(self, directory: Path, settings: Mapping[str, str], *, python: Path = SAME_INTERPRETER) -> None:
        super().__init__(directory, settings)
        self._python = python

    def _arguments(self) -> list[str]:
        *settings, _, app = super()._arguments()
        return [*settings, *package_path(self._python), *on_core(SERVER_CORE), str(self._python), app]


def package_path(python: Path) -> list[str]:
    """Return the variable with which another interpreter finds the installed packages.

    Raises NotMeasured if it has another version, for which the packages were not built.
    """
    if python == SAME_INTERPRETER:
        return []
    found, ours = (describe_interpreter(path)["version"] for path in (python, SAME_INTERPRETER))
    if found.split(".")[:2] != ours.split(".")[:2]:
        raise NotMeasured(f"{python} is Python {found}, but the packages are installed for Python {ours}")
    return [f"PYTHONPATH={sysconfig.get_path('purelib')}"]


def on_core(core: int) -> list[str]:
    """Return the first words of a command that is to run only on this core."""
    return ["taskset", "--cpu-list", str(core)]


def add_options(parser: argparse.ArgumentParser, *, rounds: int, seconds: float) -> None:
    """Add the options that all of these benchmarks have."""
    parser.add_argument("--rounds", type=int, default=rounds, help="how often each part is measured")
    parser.add_argument("--seconds", type=float, default=seconds, help="how long each part is measured")
    parser.add_argument("--python", type=Path, default=SAME_INTERPRETER, help="the interpreter of the server")


def run_benchmark(measuring: Coroutine[Any, Any, Result], file: Path, *, is_pinned: bool = True) -> int:
    """Measure, write the results to a file, and return the exit status.

    `is_pinned` says whether this program and what it starts stay on the client's core. Every
    process that was started is stopped, even after an interrupt or a timeout.
    """
    configure_gc()
    began = time.monotonic()
    try:
        if is_pinned:
            pin_client()
        results = run_program(measuring)
    except (NotMeasured, ServerStartError) as reason:
        write_status(f"{file.stem} could not be measured: {reason}\n")
        return 2
    except TimeoutError:
        write_status(f"{file.stem} could not be measured in time; everything was stopped.\n")
        return 2
    except KeyboardInterrupt:
        write_status("\nThe measurement was interrupted; everything was stopped.\n")
        return 130
    finally:
        measuring.close()
    write_results(file, results)
    for row in results["rows"]:
        sys.stdout.write("  ".join(f"{name} {_shown(value)}" for name, value in row.items()) + "\n")
    sys.stdout.write(f"The run took {time.monotonic() - began:.0f} s. The results are in {file.relative_to(ROOT)}.\n")
    return 0


def _shown(value: Any) -> str:
    if isinstance(value, Mapping) and "median" in value:
        return f"{value['median']:,} ({value['min']:,} to {value['max']:,})"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


@asynccontextmanager
async def run_server(
    directory: Path, settings: Mapping[str, str], *, python: Path = SAME_INTERPRETER
) -> AsyncIterator[PinnedApp]:
    app = PinnedApp(directory, settings, python=python)
    try:
        await app.start()
        yield app
    finally:
        await app.stop()


async def drive(
    arguments: Sequence[str],
    *,
    watched: Mapping[str, int],
    timeout_s: float,
    on_status: Callable[[str], object] = len,
) -> Result:
    """Run the load generator and return its result, with the noise.

    `watched` names the processes whose CPU time and memory it reads. `on_status` is called with
    each line that it writes about its progress. Raises NotMeasured.
    """
    watching = [word for name, pid in watched.items() for word in ("-watch", f"{name}={pid}")]
    began_s, others_s = time.monotonic(), used_by_others_s()
    process = await asyncio.create_subprocess_exec(
        find_loadgen(), *arguments, *watching,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "GOMAXPROCS": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    reading = asyncio.ensure_future(process.stdout.read())
    try:
        async with asyncio.timeout(timeout_s):
            lines = [line async for line in _read_lines(process.stderr, on_status)]
            output = await reading
            status = await process.wait()
    except TimeoutError:
        raise NotMeasured(f"`loadgen {arguments[0]}` did not end within {timeout_s:.0f} s") from None
    finally:
        reading.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status:
        raise NotMeasured(f"`loadgen {arguments[0]}` failed: {' '.join(lines)[-600:]}")
    result: Result = json.loads(output)
    noise = max(used_by_others_s() - others_s, 0.0) / (time.monotonic() - began_s)
    return {**result, "noise": round(noise, 2)}


async def _read_lines(stream: asyncio.StreamReader, on_status: Callable[[str], object]) -> AsyncIterator[str]:
    async for line in stream:
        text = line.decode(errors="replace").strip()
        on_status(text)
        yield text


async def run_undisturbed(attempt: Callable[[], Awaitable[Result]], *, tries: int = TRIES) -> Result:
    """Return the first result with little noise, or the one with the least noise."""
    results: list[Result] = []
    for _ in range(tries):
        results.append(await attempt())
        noise = results[-1]["noise"]
        if noise <= MAX_NOISE:
            break
        write_status(f"  other processes used {noise} of a core\n")
    return min(results, key=lambda result: float(result["noise"]))


def summarize(rounds: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Result:
    """Return the median, the smallest and the largest of each named figure of the rounds."""
    return {name: spread([result[name] for result in rounds]) for name in names}


def spread(values: Sequence[float]) -> dict[str, float]:
    if not values:
        raise NotMeasured("there is no value to summarize")
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def used_by_others_s() -> float:
    """Return the CPU time that other programs have used so far, plus what the host has stolen."""
    ticks = {pid: (parent, used) for pid, parent, used in _read_processes()}
    ours = {os.getpid()}
    # A child may have a lower id than its parent, so repeat until no more are found.
    while found := {pid for pid, (parent, _) in ticks.items() if parent in ours} - ours:
        ours |= found
    stolen = int(Path("/proc/stat").read_text().partition("\n")[0].split()[8])
    used = sum(used for pid, (_, used) in ticks.items() if pid not in ours)
    return (used + stolen) / os.sysconf("SC_CLK_TCK")


def _read_processes() -> list[tuple[int, int, int]]:
    """Return the id, the parent's id and the CPU ticks of each process and its ended children."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # It has ended.
            continue
        found.append((int(directory.name), int(fields[1]), sum(int(field) for field in fields[11:15])))
    return found
