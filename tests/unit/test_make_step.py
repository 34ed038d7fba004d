"""A Makefile step shows its title, time and size, and shows its output only if it fails."""

import importlib.util
import io
import os
import re
import sys
from pathlib import Path
from types import ModuleType

import orjson
import pytest

ROOT = Path(__file__).parents[2]
STEP = ROOT / "deploy" / "make" / "step.py"


def load_step() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_step", STEP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


step = load_step()


def run(capsys: pytest.CaptureFixture[str], program: str, *options: str) -> tuple[int, str]:
    code = step.main(["Working", *options, "--", sys.executable, "-c", program])
    return code, re.sub(r"\d+ s", "N s", capsys.readouterr().out)


def test_step_shows_its_time_and_size(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(3_000_000))
    shown = run(capsys, "print('noise')", "--into", str(tmp_path))
    assert shown == (0, f"Working …\n  done in N s, 3 MB in {tmp_path}\n")


def test_failed_step_shows_its_last_lines_and_returns_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = run(capsys, "import sys\nfor n in range(40): print('line', n)\nsys.exit('no space left')")
    assert code == 1
    assert shown.startswith("Working …\nline 21\nline 22\n")
    assert shown.endswith("line 39\nno space left\nWorking: failed after N s\n")


def test_progress_counts_the_lines_that_match() -> None:
    output = step.Output("^Collecting ")
    for line in ("Collecting a", "  Downloading a", "Collecting b"):
        output.add(line)
    assert step.progress_text(output.count, 3, 8.4) == "  2 of 3, 8 s"
    assert step.progress_text(5, 3, 8.6) == "  3 of 3, 9 s"
    assert step.progress_text(0, None, 61.0) == "  61 s"


class FakeTerminal(io.StringIO):
    """Standard output that lets the command continue once its progress has been shown."""

    def __init__(self, gate: Path) -> None:
        super().__init__()
        self._gate = gate

    def write(self, text: str) -> int:
        if text.startswith("  1 of 2, ") and "1 of 2" not in self.getvalue():
            self._gate.write_text("go on")
        return super().write(text)


def test_step_shows_progress_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    monkeypatch.setattr(step, "ELSEWHERE_EVERY_S", 0.01)
    monkeypatch.setattr(sys, "stdout", recorder := FakeTerminal(gate))
    program = f"print('Collecting a', flush=True); open({str(gate)!r}).read()"
    assert step.main(["Working", "--count", "^Collecting ", "--of", "2", "--", sys.executable, "-c", program]) == 0
    assert "\n  1 of 2, " in recorder.getvalue()


def test_frontend_build_does_not_check_types() -> None:
    scripts = orjson.loads((ROOT / "frontend" / "package.json").read_bytes())["scripts"]
    assert "tsc" in scripts["types"]
    assert "tsc" not in scripts["build"]
