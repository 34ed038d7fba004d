"""The script client connects in every way that a URL can name, on both event loops."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import redis
import uvloop

from domain.errors import TemporarilyUnavailable
from storage.embedded.ports import free_port
from storage.hot.script_client import ScriptClient
from storage.logins.login_sessions import LoginSessions
from tests.support.certificates import write_certificate
from tests.support.store_servers import running
from tests.support.stores import redis7

USER, PASSWORD = "ann", "p@ss:w/rd"
DATABASE = 3
IN_A_MINUTE = 60.0
SEALED = b"\x00\xff\r\n" * 50_000
"""Larger than one read of a socket."""


@dataclass(frozen=True, slots=True)
class Server:
    """A Redis that listens on TCP, TLS and a Unix socket. `control` needs no password."""

    port: int
    tls_port: int
    socket: Path
    certificate: Path
    other_certificate: Path

    def control(self) -> "redis.Redis":
        return redis.Redis(port=self.port, db=DATABASE)

    @property
    def urls(self) -> dict[str, str]:
        login = f"{USER}:p%40ss%3Aw%2Frd"
        tls = f"rediss://{login}@127.0.0.1:{self.tls_port}/{DATABASE}"
        return {
            "tcp": f"redis://{login}@127.0.0.1:{self.port}/{DATABASE}",
            "tls": f"{tls}?ssl_ca_certs={self.certificate}",
            "unix": f"unix://{login}@{self.socket}?db={DATABASE}",
            "wrong password": f"redis://{USER}:wrong@127.0.0.1:{self.port}/{DATABASE}",
            "unknown user": f"redis://eve:{PASSWORD.split('@', maxsplit=1)[0]}@127.0.0.1:{self.port}/{DATABASE}",
            "another CA": f"{tls}?ssl_ca_certs={self.other_certificate}",
            "plain to TLS": f"redis://{login}@127.0.0.1:{self.tls_port}/{DATABASE}",
            "no socket": f"unix://{login}@{self.socket}.missing?db={DATABASE}",
        }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    directory = tmp_path_factory.mktemp("redis7")
    (directory / "other").mkdir()
    certificate, other = write_certificate(directory), write_certificate(directory / "other")
    tls_port, path = free_port(), directory / "redis.sock"
    tls = ["--tls-port", str(tls_port), "--tls-cert-file", str(certificate), "--tls-key-file", str(certificate)]
    user = ["--user", USER, "on", f">{PASSWORD}", "~*", "&*", "+@all"]
    options = [*tls, "--tls-auth-clients", "no", "--unixsocket", str(path), *user]
    async with running(redis7(directory / "data", options=options)) as process:
        assert tls_port is not None
        yield Server(process.port, tls_port, path, certificate, other)


async def write_and_read(url: str) -> bytes | None:
    client = ScriptClient(url)
    try:
        sessions = LoginSessions(client)
        await sessions.create("digest", SEALED, expires_at=time.time() + IN_A_MINUTE)
        # A second call uses the same connection.
        return await sessions.read("digest")
    finally:
        await client.aclose()


LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


@LOOPS
@pytest.mark.parametrize("way", ["tcp", "tls", "unix"])
def test_client_signs_in_and_uses_the_database_of_its_url(server: Server, loop: Callable[[], Any], way: str) -> None:
    with server.control() as control, asyncio.Runner(loop_factory=loop) as runner:
        control.flushall()
        control.acl_log_reset()
        control.config_resetstat()
        assert runner.run(write_and_read(server.urls[way])) == SEALED
        assert control.dbsize() == 1
        assert control.acl_log() == []
        # One connection sent both calls.
        assert control.info("commandstats")["cmdstat_auth"]["calls"] == (2 if way == "unix" else 1)


@LOOPS
@pytest.mark.parametrize("way", ["wrong password", "unknown user", "another CA", "plain to TLS", "no socket"])
def test_connection_that_is_refused_makes_the_call_fail(server: Server, loop: Callable[[], Any], way: str) -> None:
    with server.control() as control, asyncio.Runner(loop_factory=loop) as runner:
        control.flushall()
        with pytest.raises(TemporarilyUnavailable):
            runner.run(write_and_read(server.urls[way]))
        assert control.dbsize() == 0


@LOOPS
def test_password_without_a_user_is_the_default_users(server: Server, loop: Callable[[], Any]) -> None:
    with server.control() as control, asyncio.Runner(loop_factory=loop) as runner:
        control.config_set("requirepass", "secret")
        try:
            url = f"redis://:secret@127.0.0.1:{server.port}/{DATABASE}"
            assert runner.run(write_and_read(url)) == SEALED
        finally:
            control.config_set("requirepass", "")
