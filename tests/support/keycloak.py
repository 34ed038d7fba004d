"""Runs one Keycloak in the background for all identity tests in a run.

It starts with the test session, so other tests can run in the meantime. All processes in the run
share it, and find its folder through an environment variable.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from deploy.keycloak.__main__ import RUNNING
from deploy.keycloak.distribution import cache_folder, find_problem
from deploy.keycloak.server import issuer_url
from storage.embedded import launcher
from storage.embedded.ports import accepts_connections, free_port
from tests.support.application import ROOT
from tests.support.waiting import wait_until

IDENTITY_TESTS = ROOT / "tests" / "identity"
OVERLAY = IDENTITY_TESTS / "test-clients.json"
START_TIMEOUT_S = 900.0
"""Long enough to fetch and build Keycloak on a busy machine."""
_SHARED = "ONSALE_TEST_KEYCLOAK"


class NotFetchedError(Exception):
    """Raised if Maven cannot fetch Keycloak, for example because this machine is offline."""


class BackgroundKeycloak:
    """Runs `python -m deploy.keycloak`, and keeps its data, output and port in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._output_start = 0

    @property
    def port(self) -> int:
        return int((self.directory / "port").read_text())

    @property
    def issuer(self) -> str:
        return issuer_url(self.port)

    def start(self) -> None:
        """Start Keycloak with the same port and data each time. It ends when this process ends."""
        if not (self.directory / "port").exists():
            (self.directory / "port").write_text(str(free_port()))
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ONSALE_")}
        with self._output_path.open("ab") as output:
            self._output_start = output.tell()
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", launcher.__file__, str(os.getpid())),
                    *(sys.executable, "-m", "deploy.keycloak", "--port", str(self.port)),
                    *("--data", str(self.directory / "data"), "--overlay", str(OVERLAY)),
                ],
                cwd=ROOT,
                env=inherited,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    async def ready(self) -> None:
        """Wait until Keycloak is ready. Raises NotFetchedError."""
        await wait_until(self._is_ready, timeout=START_TIMEOUT_S, what="Keycloak")

    def kill(self) -> None:
        """Kill Keycloak without a clean shutdown. Only the process that started it may do this."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    async def gone(self) -> None:
        await wait_until(lambda: not accepts_connections(self.port), what="the end of Keycloak")

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait()

    @property
    def _output_path(self) -> Path:
        return self.directory / "output"

    def _is_ready(self) -> bool:
        output = self._output_path.read_bytes()[self._output_start :].decode()
        if "Keycloak cannot start: Fetching" in output:
            raise NotFetchedError(output)
        ended = self._process is not None and self._process.poll() is not None
        assert not ended, f"Keycloak did not start:\n{output}"
        assert "Keycloak cannot start" not in output, output
        return RUNNING in output


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--keycloak",
        action="store_true",
        help="also run the long tests against Keycloak, and fail if it cannot run",
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput") or not _will_run_identity_tests(session.config):
        return
    if find_problem(cache_folder()) is None:
        shared = BackgroundKeycloak(Path(tempfile.mkdtemp(prefix="onsale-keycloak-")))
        shared.start()
        os.environ[_SHARED] = str(shared.directory)
        session.config.stash[_OWNED] = shared


def pytest_unconfigure(config: pytest.Config) -> None:
    shared = config.stash.get(_OWNED, None)
    if shared is not None:
        os.environ.pop(_SHARED, None)
        shared.kill()  # its data is removed, so it need not shut down cleanly
        shutil.rmtree(shared.directory, ignore_errors=True)


_OWNED = pytest.StashKey[BackgroundKeycloak]()


def shared_keycloak(config: pytest.Config, directory: Path) -> Iterator[BackgroundKeycloak]:
    """Yield this run's Keycloak, or one in `directory` if the run started none.

    If Keycloak cannot run here, the test is skipped, or fails if `--keycloak` was given.
    """
    problem = find_problem(cache_folder())
    if problem is not None:
        skip_or_fail(config, problem)
    if (owned := config.stash.get(_OWNED, None)) is not None:
        yield owned
    elif _SHARED in os.environ:
        yield BackgroundKeycloak(Path(os.environ[_SHARED]))
    else:
        started = BackgroundKeycloak(directory)
        started.start()
        yield started
        started.kill()


def skip_or_fail(config: pytest.Config, problem: str) -> NoReturn:
    message = f"not tested against Keycloak: {problem}"
    if config.getoption("--keycloak"):
        pytest.fail(message)
    pytest.skip(message)


def _will_run_identity_tests(config: pytest.Config) -> bool:
    """Return whether this run includes the identity tests and selects tests only by path."""
    if config.option.keyword or config.option.markexpr or config.option.collectonly:
        return False
    selected = [(config.invocation_params.dir / arg.partition("::")[0]).resolve() for arg in config.args]
    return any(path.is_relative_to(IDENTITY_TESTS) or IDENTITY_TESTS.is_relative_to(path) for path in selected)
