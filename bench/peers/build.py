"""Builds the peers and the load generator in build/peers, from copies of their sources.

A folder is built again only if its sources have changed. A peer whose tools are missing, or whose
build fails, is skipped.
"""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.clients.console import write_status
from bench.peers.peers import BUILD, COMMON, SOURCES

KEYS = "keys"
PEOPLE = 1_000
"""The users of the peers, each with a token."""
TOKENS = BUILD / KEYS / "tokens.txt"
PUBLIC_KEY = BUILD / KEYS / "public.pem"
_DIGEST = "sources.sha256"
_ENVIRONMENT = {"GOFLAGS": "-buildvcs=false", "CARGO_TERM_QUIET": "true"}


@dataclass(frozen=True, slots=True)
class Recipe:
    """The tools and commands that build a folder. The commands run in a copy of it."""

    folder: str
    tools: tuple[str, ...]
    commands: tuple[str, ...]
    duration: str


RECIPES = (
    Recipe("loadgen", ("go",), ("go build -o loadgen .",), "a few seconds"),
    Recipe(
        "gqlgen",
        ("go",),
        ("go tool gqlgen generate", "go build -o server ."),
        "a minute",
    ),
    Recipe(
        "mercurius",
        ("node", "npm"),
        ("npm ci --ignore-scripts --omit=dev --no-audit --no-fund --loglevel=error",),
        "half a minute",
    ),
    Recipe("async-graphql", ("cargo",), ("cargo build --release --locked",), "about five minutes"),
)


BY_FOLDER = {recipe.folder: recipe for recipe in RECIPES}


class BuildFailed(RuntimeError):
    """Raised if a folder cannot be built; the message says why."""


def build_all() -> list[str]:
    """Build everything, and return a line for each folder that was skipped."""
    skipped = []
    for recipe in RECIPES:
        try:
            build(recipe)
        except BuildFailed as reason:
            skipped.append(f"{recipe.folder} is skipped: {reason}")
    return skipped


def build(recipe: Recipe) -> None:
    """Build a folder if its sources have changed. Raises BuildFailed."""
    missing = [tool for tool in recipe.tools if shutil.which(tool) is None]
    if missing:
        raise BuildFailed(f"it needs {' and '.join(missing)}, which this machine does not have")
    if is_current(recipe.folder):
        return
    directory = BUILD / recipe.folder
    write_status(f"{recipe.folder}: building takes {recipe.duration}\n")
    shutil.copytree(COMMON, BUILD / COMMON.name, dirs_exist_ok=True)
    shutil.copytree(SOURCES / recipe.folder, directory, dirs_exist_ok=True)
    if recipe.folder == "async-graphql":
        _restore_sources(directory)
    for command in recipe.commands:
        _run(command, directory)
    (directory / _DIGEST).write_text(_digest(recipe))


def is_current(folder: str) -> bool:
    """Return whether a folder was built from the present sources."""
    stamp = BUILD / folder / _DIGEST
    return stamp.exists() and stamp.read_text() == _digest(BY_FOLDER[folder])


def make_keys() -> None:
    """Make a key pair, and a token for each person, which is good for a day.

    Build the load generator first, if needed. Raises BuildFailed.
    """
    build(BY_FOLDER["loadgen"])
    directory = BUILD / KEYS
    directory.mkdir(parents=True, exist_ok=True)
    _run(f"{BUILD / 'loadgen' / 'loadgen'} keys -dir {directory} -count {PEOPLE}", directory)


def _restore_sources(directory: Path) -> None:
    """Add to each entry of Cargo.lock the registry, which the committed file leaves out."""
    pinned = (directory / "Cargo.lock").read_text()
    (directory / "Cargo.lock").unlink()
    _run("cargo generate-lockfile", directory)
    source = re.search(r"^source = .*$", (directory / "Cargo.lock").read_text(), re.MULTILINE)
    if source is None:
        raise BuildFailed("cargo names no registry in Cargo.lock")
    (directory / "Cargo.lock").write_text(pinned.replace("\nchecksum = ", f"\n{source[0]}\nchecksum = "))


def _run(command: str, directory: Path) -> None:
    done = subprocess.run(
        command.split(), cwd=directory, env={**os.environ, **_ENVIRONMENT}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BuildFailed(f"`{command}` failed:\n{(done.stderr or done.stdout).strip()[-1_500:]}")


def _digest(recipe: Recipe) -> str:
    found = hashlib.sha256(" && ".join(recipe.commands).encode())
    for path in _files(recipe.folder):
        found.update(f"\0{path.relative_to(SOURCES)}\0".encode() + path.read_bytes())
    return found.hexdigest()


def _files(folder: str) -> Iterator[Path]:
    for directory in (COMMON, SOURCES / folder):
        yield from sorted(path for path in directory.rglob("*") if path.is_file())
