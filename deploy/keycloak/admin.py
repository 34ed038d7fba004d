"""Changes a running realm through Keycloak's admin REST API."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httpx2

from deploy.keycloak.server import ADMIN, REALM, server_url

_TIMEOUT_S = 60.0
_HOSTS = ("http://localhost", "http://127.0.0.1")


class KeycloakAdmin:
    """The administrator of one realm. An error response raises httpx2.HTTPStatusError."""

    def __init__(self, port: int, *, realm: str = REALM) -> None:
        self._http = httpx2.Client(base_url=server_url(port), trust_env=False, timeout=_TIMEOUT_S)
        self._realm = realm

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **parameters: str) -> Any:
        return self._request("GET", path, params=parameters).json()

    def put(self, path: str, body: object = None) -> None:
        self._request("PUT", path, json=body)

    def post(self, path: str, body: object = None) -> None:
        self._request("POST", path, json=body)

    def delete(self, path: str, body: object = None) -> None:
        self._request("DELETE", path, json=body)

    def change_client(self, client_id: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Apply `change` to the representation of a client, and store it if it differs."""
        [client] = self.get("clients", clientId=client_id)
        changed = {**client, "attributes": dict(client["attributes"])}
        change(changed)
        if changed != client:
            self.put(f"clients/{client['id']}", changed)

    def _request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        # The administrator's tokens last a minute, so each request gets a new one.
        form = {"grant_type": "password", "client_id": "admin-cli", "username": ADMIN, "password": ADMIN}
        signed_in = self._http.post("/realms/master/protocol/openid-connect/token", data=form).raise_for_status()
        headers = {"authorization": f"Bearer {signed_in.json()['access_token']}"}
        url = f"/admin/realms/{self._realm}/{path}".removesuffix("/")
        return self._http.request(method, url, headers=headers, **options).raise_for_status()


def serve_onsale_at(admin: KeycloakAdmin, port: int) -> None:
    """Make Keycloak accept an Onsale server on this port of this machine, and send logouts there.

    The realm file names port 8000.
    """
    origins = [f"{host}:{port}" for host in _HOSTS]

    def change(client: dict[str, Any]) -> None:
        attributes = client["attributes"]
        client["redirectUris"] = _union(client["redirectUris"], [f"{origin}/login/callback" for origin in origins])
        client["webOrigins"] = _union(client["webOrigins"], origins)
        after_logout = attributes["post.logout.redirect.uris"].split("##")
        attributes["post.logout.redirect.uris"] = "##".join(_union(after_logout, [f"{origin}/*" for origin in origins]))
        if "backchannel.logout.url" in attributes:
            attributes["backchannel.logout.url"] = f"{origins[0]}/oidc/backchannel-logout"

    for client_id in ("onsale-web", "onsale-server"):
        admin.change_client(client_id, change)


def _union(known: list[str], added: list[str]) -> list[str]:
    return sorted({*known, *added})
