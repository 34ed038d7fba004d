"""Python finds our packages by their generic names, and no installed package has such a name."""

from functools import cache
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIRST_PARTY = sorted(
    {path.parent.name for path in ROOT.glob("*/__init__.py")} | {path.stem for path in ROOT.glob("*.py")}
)
# Packages that do not exist yet; a dependency with such a name would break when they do.
PLANNED = ["payments", "tickets"]

distributions = cache(packages_distributions)


@pytest.mark.parametrize("name", FIRST_PARTY)
def test_top_level_name_is_found_in_this_repository(name: str) -> None:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None, "a package without __init__.py loses against one that has it"
    assert Path(spec.origin).is_relative_to(ROOT)


@pytest.mark.parametrize("name", sorted({*FIRST_PARTY, *PLANNED}))
def test_no_installed_distribution_has_a_name_of_ours(name: str) -> None:
    assert distributions().get(name) is None


def test_no_test_folder_has_a_name_of_ours() -> None:
    folders = {path.parent.name for path in (ROOT / "tests").rglob("__init__.py")} - {"tests"}
    assert folders & set(FIRST_PARTY) == set()


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_lock_file_has_pins_and_hashes_and_no_addresses(name: str) -> None:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.lstrip().startswith("#")]
    pins = [line for line in lines if not line.startswith(" ")]
    assert pins
    assert all("==" in pin for pin in pins)
    assert sum("--hash=sha256:" in line for line in lines) >= len(pins)
    assert not any("://" in line for line in lines)
