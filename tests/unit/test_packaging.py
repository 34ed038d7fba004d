"""Our generic package names refer to this repository, and no installed package uses them."""

from functools import cache
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIRST_PARTY = sorted(
    {path.parent.name for path in ROOT.glob("*/__init__.py")} | {path.stem for path in ROOT.glob("*.py")}
)
# Names of future packages; a dependency with one of these names would conflict with it.
PLANNED = ["payments", "tickets"]

distributions = cache(packages_distributions)


@pytest.mark.parametrize("name", FIRST_PARTY)
def test_top_level_name_refers_to_this_repository(name: str) -> None:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None, "a package without __init__.py is hidden by one that has it"
    assert Path(spec.origin).is_relative_to(ROOT)


@pytest.mark.parametrize("name", sorted({*FIRST_PARTY, *PLANNED}))
def test_no_installed_distribution_uses_our_package_names(name: str) -> None:
    assert distributions().get(name) is None


def test_no_test_folder_uses_our_package_names() -> None:
    folders = {path.parent.name for path in (ROOT / "tests").rglob("__init__.py")} - {"tests"}
    assert folders & set(FIRST_PARTY) == set()


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-traces.lock", "requirements-dev.lock"])
def test_lock_file_has_pins_and_hashes_but_no_urls(name: str) -> None:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.lstrip().startswith("#")]
    pins = [line for line in lines if not line.startswith(" ")]
    assert pins
    assert all("==" in pin for pin in pins)
    assert sum("--hash=sha256:" in line for line in lines) >= len(pins)
    assert not any("://" in line for line in lines)
