"""`python -m bench.report`, run by `make bench-report`: renders the results of the benchmarks.

It reads bench/results/*.json and nothing else, and writes the charts and the sections of
docs/performance.md that lie between markers.
"""

import json
import sys
from pathlib import Path
from typing import Any

from bench.report.page import PageError, fill
from bench.report.sections import RESULTS, render_charts, render_sections

ROOT = Path(__file__).parents[2]
RESULTS_FOLDER = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "performance.md"
CHARTS_FOLDER = PAGE.parent / "charts"


def read_results(folder: Path = RESULTS_FOLDER) -> dict[str, Any]:
    """Return the results that the folder has, by name."""
    files = {name: folder / f"{name}.json" for name in RESULTS}
    return {name: json.loads(file.read_text()) for name, file in files.items() if file.exists()}


def render_files(results: dict[str, Any], page: str) -> dict[Path, str]:
    """Return the content of each file that the results determine. Raises PageError."""
    charts = {CHARTS_FOLDER / f"{name}.svg": chart for name, chart in render_charts(results).items()}
    return {PAGE: fill(page, render_sections(results)), **charts}


def main() -> int:
    try:
        files = render_files(read_results(), PAGE.read_text())
    except PageError as error:
        sys.stderr.write(f"{PAGE.relative_to(ROOT)} cannot be written: {error}\n")
        return 2
    for path, content in files.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
