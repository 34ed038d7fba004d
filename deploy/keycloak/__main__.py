"""`python -m deploy.keycloak` runs Keycloak until Ctrl-C. A command after `--` gets the issuer in
its environment; when the command ends, Keycloak stops too, unless it was already running.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2

from auth.dev_issuer.claims import SERVER_CLIENT_ID
from auth.dev_issuer.client import DEVELOPMENT_SECRET
from deploy.keycloak.admin import KeycloakAdmin, serve_onsale_at
from deploy.keycloak.distribution import VERSION, KeycloakUnavailable, cache_folder, prepare
from deploy.keycloak.server import ADMIN, Keycloak, answers, issuer_url, server_url
from settings import Settings, SettingsError
from storage.embedded import launcher
from storage.embedded.lockfile import LockFile
from storage.embedded.ports import accepts_connections
from storage.embedded.process import ServerStartError

DEFAULT_PORT = 8_180
RUNNING = "Keycloak is running"
_POLL_S = 0.2

_USAGE = """{running} at {server}
  Realm    {issuer}
  Users    alice, bob, carol buy tickets; olivia is an organizer; gus checks tickets; admin runs every
           concert. The password is the user name
  Console  {server}/admin (user {admin}, password {admin})
  Data     {data}
"""
_TO_SET = """  Set      ONSALE_OIDC_ISSUER={issuer}
           ONSALE_OIDC_CLIENT_ID={client}
           ONSALE_OIDC_CLIENT_SECRET={secret}
           (make run KEYCLOAK=yes does so)
  Stop     Ctrl-C
"""


def main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    try:
        settings = Settings.from_env(os.environ)
        data = (options.data or settings.data_dir / "keycloak").resolve()
        keycloak = None
        if not asyncio.run(answers(options.port)):
            release = prepare(cache_folder())
            _require_free(options.port, data)
            keycloak = Keycloak(data, release=release, port=options.port, overlay=options.overlay)
        return asyncio.run(_run(options, settings, keycloak))
    except (KeycloakUnavailable, ServerStartError, SettingsError, httpx2.HTTPError) as error:
        print(f"Keycloak cannot start: {error}", file=sys.stderr)  # noqa: T201
        return 1


def _require_free(port: int, data: Path) -> None:
    """Raise ServerStartError if another program uses the port or the data folder."""
    if accepts_connections(port):
        raise ServerStartError(f"another program uses port {port}; set KEYCLOAK_PORT to a free port")
    data.mkdir(parents=True, exist_ok=True)
    with LockFile(data / "child.lock") as lock:
        if not lock.try_lock():
            holder = lock.last_holder()
            raise ServerStartError(f"a Keycloak on port {holder.port if holder else '?'} uses {data}; stop it first")


async def _run(options: argparse.Namespace, settings: Settings, keycloak: Keycloak | None) -> int:
    """Run Keycloak, or use the running one if `keycloak` is None, and run any command with it."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with AsyncExitStack() as stack:
        if keycloak is not None:
            _write(f"Keycloak {VERSION} is starting in {keycloak.directory}; this takes up to a minute …\n")
            if not await _started(keycloak, ended):
                return 0
            stack.push_async_callback(keycloak.stop)
        await asyncio.to_thread(_adapt_realm, options.port, settings.port)
        names = {"server": server_url(options.port), "issuer": issuer_url(options.port), "admin": ADMIN}
        names |= {"client": SERVER_CLIENT_ID, "secret": DEVELOPMENT_SECRET}
        data = keycloak.directory if keycloak else "in the folder of the Keycloak that was running"
        _write(_USAGE.format(running=RUNNING, data=data, **names))
        if options.command:
            return await _run_command(options, keycloak, ended)
        _write(_TO_SET.format(**names))
        if keycloak is not None:
            await _wait_for_end(keycloak, ended)
    return 0


async def _started(keycloak: Keycloak, ended: asyncio.Event) -> bool:
    """Start Keycloak. Return False, and leave no process, if Ctrl-C interrupts the start."""
    starting, ending = asyncio.create_task(keycloak.start()), asyncio.create_task(ended.wait())
    await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
    ending.cancel()
    if not starting.done():
        starting.cancel()
        await asyncio.wait({starting})
        return False
    await starting
    return True


def _adapt_realm(port: int, onsale_port: int) -> None:
    with KeycloakAdmin(port) as admin:
        serve_onsale_at(admin, onsale_port)


async def _run_command(options: argparse.Namespace, keycloak: Keycloak | None, ended: asyncio.Event) -> int:
    # In its own session, the command does not get Ctrl-C from the terminal. It is stopped once, by
    # this function, before Keycloak is stopped.
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", launcher.__file__, str(os.getpid()), *options.command),
        env=command_environment(os.environ, port=options.port),
        start_new_session=True,
    )
    try:
        while command.returncode is None and not ended.is_set():
            _check(keycloak)
            await asyncio.sleep(_POLL_S)
    finally:
        if command.returncode is None:
            command.terminate()
        code = await command.wait()
    return 0 if ended.is_set() else code


def command_environment(given: Mapping[str, str], *, port: int) -> dict[str, str]:
    """Return the environment for the command. The command signs people in as the client that
    Keycloak notifies of logouts, unless another client was given.
    """
    client = {"ONSALE_OIDC_CLIENT_ID": SERVER_CLIENT_ID, "ONSALE_OIDC_CLIENT_SECRET": DEVELOPMENT_SECRET}
    is_given = "ONSALE_OIDC_CLIENT_ID" in given
    return {**given, **({} if is_given else client), "ONSALE_OIDC_ISSUER": issuer_url(port)}


async def _wait_for_end(keycloak: Keycloak, ended: asyncio.Event) -> None:
    while not ended.is_set():
        _check(keycloak)
        await asyncio.sleep(_POLL_S)


def _check(keycloak: Keycloak | None) -> None:
    if keycloak is not None and keycloak.exit_code is not None:
        raise ServerStartError(f"it ended with status {keycloak.exit_code}; see {keycloak.directory / 'log'}")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m deploy.keycloak", description="Runs Keycloak with the realm onsale.")
    parser.add_argument("--port", type=int, default=os.environ.get("KEYCLOAK_PORT") or DEFAULT_PORT)
    parser.add_argument("--data", type=Path, help="the data folder (default: keycloak in ONSALE_DATA_DIR)")
    parser.add_argument("--overlay", type=Path, help="JSON with more clients, roles and users for a new realm")
    parser.add_argument("command", nargs="*", help="a command to run on this Keycloak")
    return parser.parse_args(arguments)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
