"""The versions of the peers' languages and libraries."""

import json
import re
import shutil
import tomllib
from importlib.metadata import version

from bench.peers.peers import SOURCES, Peer
from bench.provenance import program_version
from bench.runs import Result

_PYTHON_PEERS = {
    "strawberry": ("strawberry-graphql", "starlette", "uvicorn", "uvloop", "websockets", "redis", "hiredis", "pyjwt"),
    "limit-http": ("uvicorn", "uvloop", "hiredis", "orjson", "pyjwt"),
    "limit-frames": ("uvloop", "orjson", "pyjwt"),
}
_TOOLS = {"go": ("go", "version"), "node": ("node", "--version"), "rust": ("rustc", "--version")}
_NUMBER = re.compile(r"\d+(\.\d+)+")


def describe_peer(peer: Peer) -> Result:
    return {"about": peer.about, "versions": read_versions(peer)}


def tool_versions() -> dict[str, str]:
    """Return the versions of the peers' languages that are installed."""
    lines = {name: program_version(*command) for name, command in _TOOLS.items() if shutil.which(command[0])}
    return {name: found[0] for name, line in lines.items() if (found := _NUMBER.search(line))}


def read_versions(peer: Peer) -> dict[str, str]:
    """Return the versions of the libraries that a peer uses directly."""
    match peer.folder:
        case "async-graphql":
            return _cargo_versions()
        case "gqlgen":
            return _go_versions()
        case "mercurius":
            pinned: dict[str, str] = json.loads((SOURCES / "mercurius" / "package.json").read_text())["dependencies"]
            return pinned
        case _:
            return {name: version(name) for name in _PYTHON_PEERS.get(peer.name.removesuffix("-caches"), ())}


def _cargo_versions() -> dict[str, str]:
    dependencies = tomllib.loads((SOURCES / "async-graphql" / "Cargo.toml").read_text())["dependencies"]
    pins = {name: pin if isinstance(pin, str) else pin["version"] for name, pin in dependencies.items()}
    return {name: pin.removeprefix("=") for name, pin in pins.items()}


def _go_versions() -> dict[str, str]:
    required = re.findall(r"^\t(\S+) v(\S+)$", (SOURCES / "gqlgen" / "go.mod").read_text(), re.MULTILINE)
    return {name.removeprefix("github.com/"): number for name, number in required}
