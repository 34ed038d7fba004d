"""Results say how a server was built and configured, without the paths of the machine."""

import json
import os
import platform
import subprocess
from pathlib import Path

import pytest

from bench import provenance, runs
from bench.metrics import NotMeasured
from bench.provenance import describe_interpreter, shown_settings
from bench.runs import LOADGEN, drive, find_loadgen, package_path, run_undisturbed, spread, summarize


def make_interpreter(directory: Path, facts: dict[str, str]) -> Path:
    """Return a program that describes itself as an interpreter does."""
    python = directory / "python"
    python.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(facts)}\nEND\n")
    python.chmod(0o755)
    return python


def test_interpreter_is_described_without_paths(tmp_path: Path) -> None:
    config_args = "'--prefix=/opt/py' '--enable-optimizations' '--with-lto=full' 'CC=gcc'"
    described = describe_interpreter(make_interpreter(tmp_path, {"version": "3.11.9", "config_args": config_args}))
    assert described["config_args"] == "--enable-optimizations --with-lto=full CC=gcc"
    assert described["optimizing_arguments"] == ["--enable-optimizations", "--with-lto"]


def test_interpreter_of_this_process_is_timed() -> None:
    assert describe_interpreter(provenance.SAME_INTERPRETER)["loop_ms"] > 0


def test_settings_of_a_result_leave_out_where_it_ran() -> None:
    settings = {"REDIS_URL": "redis://127.0.0.1:1", "MONGO_URL": "m", "DATA_DIR": "data", "PUSH_TICK_MS": "1"}
    assert shown_settings(settings) == {"ONSALE_PUSH_TICK_MS": "1"}


def test_rounds_are_summarized_as_median_and_range() -> None:
    rounds = [{"p99_ms": 5.0, "errors": 0}, {"p99_ms": 9.0, "errors": 0}, {"p99_ms": 4.0, "errors": 0}]
    assert summarize(rounds, ["p99_ms"]) == {"p99_ms": {"median": 5.0, "min": 4.0, "max": 9.0}}
    with pytest.raises(NotMeasured):
        spread([])


@pytest.mark.parametrize(
    ("noises", "chosen"), [([0.01, 0.9], 0.01), ([0.5, 0.02, 0.9], 0.02), ([0.5, 0.3, 0.4, 0.0], 0.3)]
)
async def test_noisy_run_is_repeated_at_most_twice(noises: list[float], chosen: float) -> None:
    remaining = iter(noises)

    async def attempt() -> runs.Result:
        return {"noise": next(remaining)}

    assert (await run_undisturbed(attempt))["noise"] == chosen


def make_loadgen(directory: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = directory / "loadgen"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("LOADGEN", str(path))


async def test_drive_returns_the_result_and_reports_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_loadgen(tmp_path, """echo "ready: $*" >&2; echo '{"errors": {}}'""", monkeypatch)
    lines: list[str] = []
    result = await drive(["hold", "-x"], watched={"server": 7}, timeout_s=60, on_status=lines.append)
    assert (result["errors"], lines) == ({}, ["ready: hold -x -watch server=7"])
    assert result["noise"] >= 0


async def test_drive_quotes_a_load_generator_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_loadgen(tmp_path, "echo 'no socket subscribed' >&2; exit 3", monkeypatch)
    with pytest.raises(NotMeasured, match="`loadgen fanout` failed: no socket subscribed"):
        await drive(["fanout"], watched={}, timeout_s=60)


async def test_drive_ends_a_load_generator_that_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_loadgen(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 600", monkeypatch)
    with pytest.raises(NotMeasured, match="did not end within"):
        await drive(["hold"], watched={}, timeout_s=0.5)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_missing_load_generator_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADGEN", "/nonexistent/loadgen")
    with pytest.raises(NotMeasured, match="make bench-peers"):
        find_loadgen()


def test_results_of_the_comparison_are_committed_and_builds_are_not() -> None:
    def is_ignored(path: str) -> bool:
        command = ["/usr/bin/env", "git", "-C", str(provenance.ROOT), "check-ignore", "-q", path]
        return subprocess.run(command, check=False).returncode == 0

    names = ("fanout", "hold", "memory", "mixed", "operations_cpu", "pages", "queue")
    assert [name for name in names if is_ignored(f"bench/results/{name}.json")] == []
    assert is_ignored("bench/results/prices.json")
    assert is_ignored(str(LOADGEN))


def test_server_of_another_python_version_is_refused(tmp_path: Path) -> None:
    python = make_interpreter(tmp_path, {"version": "3.9.1", "config_args": ""})
    assert package_path(provenance.SAME_INTERPRETER) == []
    with pytest.raises(NotMeasured, match=r"is Python 3\.9\.1, but the packages are installed for Python 3"):
        package_path(python)


def test_another_interpreter_of_the_same_version_finds_the_packages(tmp_path: Path) -> None:
    python = make_interpreter(tmp_path, {"version": platform.python_version(), "config_args": ""})
    (variable,) = package_path(python)
    assert Path(variable.removeprefix("PYTHONPATH="), "uvicorn").is_dir()
