"""A Keycloak process on loopback, with its own data folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import httpx2

from deploy.keycloak.distribution import find_java, java_command
from storage.embedded.process import ServerProcess

REALM = "onsale"
REALM_FILE = Path(__file__).parent / "onsale-realm.json"
ADMIN = "admin"
"""The administrator's name and password in a new data folder."""
_SHARED = ("bin", "conf", "lib", "providers", "themes", "version.txt")
_PROBE_TIMEOUT_S = 10.0


class Keycloak(ServerProcess):
    """Keycloak, run from the built release in `release`.

    A new data folder gets the realm from `REALM_FILE`, to which `overlay` adds clients, roles and
    users. Later starts keep the realm as it is. The issuer is always named `localhost`, whatever
    hostname a client uses.
    """

    name: ClassVar[str] = "Keycloak"
    start_timeout_s: ClassVar[float] = 600.0

    def __init__(self, directory: Path, *, release: Path, port: int | None, overlay: Path | None = None) -> None:
        super().__init__(directory, executable=find_java(), port=port, options=())
        self._release = release
        self._overlay = overlay

    @property
    def url(self) -> str:
        return server_url(self.port)

    async def start(self) -> None:
        self._link_release()
        imported = self._home / "data" / "import"
        imported.mkdir(parents=True, exist_ok=True)
        realm = json.loads(REALM_FILE.read_text())
        if self._overlay is not None:
            realm = with_overlay(realm, json.loads(self._overlay.read_text()))
        (imported / f"{REALM}-realm.json").write_text(json.dumps(realm))
        await super().start()

    @property
    def _home(self) -> Path:
        """Keycloak keeps its data inside its home, so each data folder is a home that links to the
        shared release.
        """
        return self.directory / "home"

    def _link_release(self) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        for name in _SHARED:
            link = self._home / name
            link.unlink(missing_ok=True)
            link.symlink_to(self._release / name)

    def _arguments(self) -> list[str]:
        return [
            *java_command(self._home),
            "start",
            "--optimized",
            "--import-realm",
            "--http-enabled=true",
            "--http-host=127.0.0.1",
            f"--http-port={self.port}",
            f"--hostname={self.url}",
            f"--bootstrap-admin-username={ADMIN}",
            f"--bootstrap-admin-password={ADMIN}",
        ]

    async def _is_ready(self) -> bool:
        return await answers(self.port)


def server_url(port: int) -> str:
    return f"http://localhost:{port}"


def issuer_url(port: int) -> str:
    return f"{server_url(port)}/realms/{REALM}"


async def answers(port: int) -> bool:
    """Return whether a Keycloak with our realm answers on this port."""
    url = f"http://127.0.0.1:{port}/realms/{REALM}/.well-known/openid-configuration"
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=_PROBE_TIMEOUT_S) as client:
            answer = await client.get(url)
            return answer.status_code == 200 and bool(answer.json()["issuer"] == issuer_url(port))
    except (httpx2.HTTPError, ValueError, LookupError, TypeError):
        return False


def with_overlay(realm: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Return the realm with the overlay's objects merged in and its lists appended."""
    merged = dict(realm)
    for name, added in overlay.items():
        known = merged.get(name)
        if isinstance(known, dict):
            merged[name] = with_overlay(known, added)
        else:
            merged[name] = [*known, *added] if isinstance(known, list) else added
    return merged
