"""While traces are off, a process imports nothing that sends spans, and needs no OpenTelemetry.

redis-py imports the metrics of OpenTelemetry by itself where they are installed, so a process that
has them shows what the process itself imports.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.application import ROOT, Application, started
from tests.support.traces import running_collector

RUN = """
import sys
import app
try:
    app.main()
finally:
    sends_spans = ("opentelemetry.sdk.trace", "opentelemetry.exporter", "google.protobuf", "telemetry.open_telemetry")
    print("imported:", sorted(name for name in sys.modules if name.startswith(sends_spans)))
"""
WITHOUT = """
import sys
sys.modules["opentelemetry"] = None  # as if it were not installed
import app, workers.__main__
from settings import Settings, SettingsError
Settings.from_env({})
try:
    Settings.from_env({"ONSALE_TRACES": "yes"})
except SettingsError as error:
    print(error)
print("imported:", sorted(name for name, module in sys.modules.items() if "opentelemetry." in name and module))
"""


async def run(directory: Path, **settings: object) -> str:
    """Run the application, send a request, and return what it printed."""
    application = Application(directory / "data", command=("-c", RUN), **settings)
    async with started(application):
        answer = await application.get("/graphql?query={serverTime}")
        assert answer.status_code == 200
    return application.output


async def test_nothing_that_sends_spans_is_imported_while_off(tmp_path: Path) -> None:
    assert "imported: []" in await run(tmp_path)


async def test_process_with_traces_on_sends_spans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.url)
        assert "'opentelemetry.sdk.trace'" in await run(tmp_path, TRACES="yes")
    assert "GET /graphql" in {span.name for span in collector.spans}
    assert {span.service for span in collector.spans} == {"onsale"}


def test_programs_need_no_opentelemetry_and_say_how_to_install_it() -> None:
    ran = subprocess.run([sys.executable, "-c", WITHOUT], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == [
        "ONSALE_TRACES is 'yes', but OpenTelemetry is not installed; run `make traces`, or set it to no",
        "imported: []",
    ]
