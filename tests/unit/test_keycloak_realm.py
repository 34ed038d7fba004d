"""The realm file has the development issuer's people, roles and clients."""

import json
import re
from typing import Any

import pytest

from auth.dev_issuer.client import DEVELOPMENT_SECRET, WEB_CLIENT_ID
from auth.dev_issuer.demo_users import DEMO_USERS, find_demo_user
from auth.viewer import Role
from deploy.keycloak.__main__ import command_environment
from deploy.keycloak.server import REALM_FILE, with_overlay
from settings import Settings

REALM: dict[str, Any] = json.loads(REALM_FILE.read_text())
CLIENTS = {client["clientId"]: client for client in REALM["clients"]}


def test_realm_has_the_demo_users_of_the_development_issuer() -> None:
    assert [user["username"] for user in REALM["users"]] == list(DEMO_USERS)
    for user in REALM["users"]:
        person = find_demo_user(user["username"])
        assert person is not None
        assert user["id"] == person.subject
        assert (user["email"], user["firstName"], user["lastName"]) == (
            person.email,
            person.given_name,
            person.family_name,
        )
        assert user["emailVerified"] is True
        assert set(user["realmRoles"]) == {"default-roles-onsale", *person.roles}
        assert user["credentials"] == [{"type": "password", "value": person.username, "temporary": False}]


def test_realm_has_the_roles_of_the_api() -> None:
    assert [role["name"] for role in REALM["roles"]["realm"]] == [role.value for role in Role]


def test_realm_leaves_the_client_scopes_to_keycloak() -> None:
    """A list would replace the built-in scopes, including `basic`, which adds the claim `sub`."""
    assert "clientScopes" not in REALM
    assert not any("defaultClientScopes" in client for client in REALM["clients"])


def test_realm_has_a_public_and_a_confidential_client() -> None:
    assert set(CLIENTS) == {WEB_CLIENT_ID, "onsale-server"}
    assert CLIENTS[WEB_CLIENT_ID]["publicClient"]
    assert "secret" not in CLIENTS[WEB_CLIENT_ID]
    assert not CLIENTS["onsale-server"]["publicClient"]
    assert CLIENTS["onsale-server"]["secret"] == DEVELOPMENT_SECRET


@pytest.mark.parametrize("client", CLIENTS.values(), ids=lambda client: client["clientId"])
def test_client_requires_pkce_and_adds_the_audience(client: dict[str, Any]) -> None:
    assert client["attributes"]["pkce.code.challenge.method"] == "S256"
    configs = [mapper["config"] for mapper in client["protocolMappers"]]
    assert [config["included.custom.audience"] for config in configs[:1]] == list(Settings().oidc.audience)
    assert [config["included.client.audience"] for config in configs[1:]] == ["onsale-server"]
    assert all(config["access.token.claim"] == "true" for config in configs)


@pytest.mark.parametrize("client", CLIENTS.values(), ids=lambda client: client["clientId"])
def test_client_redirects_only_to_onsale_on_this_machine(client: dict[str, Any]) -> None:
    port = Settings().port
    hosts = [f"http://localhost:{port}", f"http://127.0.0.1:{port}"]
    assert client["redirectUris"] == [f"{host}/login/callback" for host in hosts]
    assert client["webOrigins"] == hosts
    assert client["attributes"]["post.logout.redirect.uris"] == "##".join(f"{host}/*" for host in hosts)


def test_only_the_server_client_is_told_of_logouts() -> None:
    told = [name for name, client in CLIENTS.items() if "backchannel.logout.url" in client["attributes"]]
    assert told == ["onsale-server"]
    attributes = CLIENTS["onsale-server"]["attributes"]
    assert attributes["backchannel.logout.url"] == f"http://localhost:{Settings().port}/oidc/backchannel-logout"
    assert attributes["backchannel.logout.session.required"] == "true"


def test_onsale_uses_the_client_that_is_told_of_logouts() -> None:
    oidc = Settings.from_env(command_environment({}, port=8180)).oidc
    assert "backchannel.logout.url" in CLIENTS[oidc.client_id]["attributes"]
    assert oidc.client_secret == CLIENTS[oidc.client_id]["secret"]


def test_configured_client_is_left_unchanged() -> None:
    oidc = Settings.from_env(command_environment({"ONSALE_OIDC_CLIENT_ID": "mine"}, port=8180)).oidc
    assert (oidc.client_id, oidc.client_secret) == ("mine", None)


def test_realm_contains_only_the_development_secret() -> None:
    text = REALM_FILE.read_text()
    assert re.findall(r'"secret": "(.*)"', text) == [DEVELOPMENT_SECRET]
    assert "PRIVATE" not in text


def test_overlay_appends_to_lists_and_merges_objects() -> None:
    realm = {"realm": "onsale", "clients": [1], "roles": {"realm": [2]}}
    overlay = {"clients": [3], "roles": {"realm": [4], "client": {"api": [5]}}, "users": [6]}
    assert with_overlay(realm, overlay) == {
        "realm": "onsale",
        "clients": [1, 3],
        "roles": {"realm": [2, 4], "client": {"api": [5]}},
        "users": [6],
    }
    assert realm == {"realm": "onsale", "clients": [1], "roles": {"realm": [2]}}
