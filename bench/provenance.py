"""The provenance of a result: the facts about its run by which a reader can judge and repeat it.

`describe_run` returns the date, the commit, the machine, the interpreter of the server with its
build flags, the versions, and the settings that differ from the defaults.
"""

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGES = ("graphql-core", "orjson", "redis", "starlette", "strawberry-graphql", "uvicorn", "uvloop", "websockets")
UNSHOWN = ("REDIS_URL", "MONGO_URL", "MONGO_DATABASE", "PORT", "DATA_DIR")
"""Settings that say where a run took place, and nothing about its speed."""
SAME_INTERPRETER = Path(sys.executable)
ANSWER_TIMEOUT_S = 20.0
_DESCRIBE_INTERPRETER = """
import json, platform, sysconfig, timeit

def add():
    total = 0
    for number in range(1_000_000):
        total += number

print(json.dumps({
    "version": platform.python_version(),
    "implementation": platform.python_implementation(),
    "compiler": platform.python_compiler(),
    "config_args": sysconfig.get_config_var("CONFIG_ARGS") or "",
    "loop_ms": round(min(timeit.repeat(add, number=1, repeat=7)) * 1_000, 1),
}))
"""
"""`loop_ms` is the time of a million additions, the shortest of seven. Some distributions optimize
their build without an argument that says so, and this shows it.
"""
_OPTIMIZING_ARGUMENTS = ("--enable-optimizations", "--with-lto")
"""The arguments of CPython's configure script for profile-guided and link-time optimization."""


def describe_run(*, settings: Mapping[str, str], python: Path, versions: Mapping[str, str]) -> dict[str, Any]:
    """Return the head of a result. `versions` names programs that are not Python packages."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
        "commit": read_commit(),
        "machine": describe_machine(),
        "interpreter": describe_interpreter(python),
        "versions": {**package_versions(PACKAGES), **versions},
        "settings": shown_settings(settings),
    }


def shown_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the settings by the names of their environment variables, without those in UNSHOWN."""
    return {f"ONSALE_{name}": value for name, value in sorted(settings.items()) if name not in UNSHOWN}


def package_versions(names: Iterable[str]) -> dict[str, str]:
    return {name: version(name) for name in names}


@cache
def describe_interpreter(python: Path) -> dict[str, Any]:
    """Return the version, the build flags and the speed of an interpreter."""
    facts: dict[str, Any] = json.loads(_output(str(python), "-I", "-c", _DESCRIBE_INTERPRETER))
    # An argument with a path says where the interpreter is installed, not how it was built.
    arguments = [argument for argument in shlex.split(facts["config_args"]) if "/" not in argument]
    optimizing = [name for name in _OPTIMIZING_ARGUMENTS if any(one.startswith(name) for one in arguments)]
    return {**facts, "config_args": " ".join(arguments), "optimizing_arguments": optimizing}


def describe_machine() -> dict[str, Any]:
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory_bytes / 2**30, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "load_before": round(os.getloadavg()[0], 2),
    }


def read_commit() -> str:
    """Return the commit of the code, with a `+` if files have been changed since."""
    try:
        commit = _output("git", "-C", str(ROOT), "rev-parse", "--short=8", "HEAD")
        return commit + ("+" if _output("git", "-C", str(ROOT), "status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def program_version(*command: str) -> str:
    """Return the first line that a program prints about its version."""
    return _output(*command).partition("\n")[0]


def write_results(file: Path, results: Mapping[str, Any]) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_TIMEOUT_S, check=True)
    return done.stdout.strip()
