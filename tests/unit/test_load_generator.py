"""The load generator of the benchmarks passes its own tests, which are written in Go."""

import shutil
import subprocess

import pytest

from bench.peers.peers import SOURCES

GO = shutil.which("go")


@pytest.mark.skipif(GO is None, reason="needs Go")
def test_load_generator_passes_its_tests() -> None:
    done = subprocess.run(
        [str(GO), "test", "."], cwd=SOURCES / "loadgen", capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stdout + done.stderr
