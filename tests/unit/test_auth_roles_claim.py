"""Roles can be read from any claim, and may have other names at the issuer."""

import pytest

from auth.roles_claim import RolesClaim
from auth.viewer import Role
from settings import OidcSettings

OWN_NAMES = OidcSettings().role_names


@pytest.mark.parametrize(
    ("path", "claims"),
    [
        ("realm_access.roles", {"realm_access": {"roles": ["gate"]}}),
        ("resource_access.onsale-api.roles", {"resource_access": {"onsale-api": {"roles": ["gate"]}}}),
        ("resource_access.my.client.roles", {"resource_access": {"my.client": {"roles": ["gate"]}}}),
        ("roles", {"roles": ["gate"]}),
        ("https://example.org/roles", {"https://example.org/roles": ["gate"]}),
        ("realm_access.roles", {"realm_access.roles": ["gate"], "realm_access": {"roles": ["admin"]}}),
    ],
)
def test_roles_are_found_at_their_path(path: str, claims: dict[str, object]) -> None:
    assert RolesClaim(path, OWN_NAMES).read(claims) == {Role.GATE}


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"resource_access": {"other": {"roles": ["admin"]}}},
        {"resource_access": {"onsale-api": {"roles": "admin"}}},
        {"resource_access": {"onsale-api": ["roles", "admin"]}},
        {"resource_access": "onsale-api"},
        {"realm_access": {"roles": ["admin"]}},
    ],
)
def test_roles_elsewhere_are_ignored(claims: dict[str, object]) -> None:
    assert RolesClaim("resource_access.onsale-api.roles", OWN_NAMES).read(claims) == frozenset()


def test_role_names_used_by_the_issuer_replace_ours() -> None:
    claim = RolesClaim("roles", [("organizer", "promoter"), ("organizer", "staff"), ("gate", "staff"), ("admin", "it")])
    assert claim.read({"roles": ["promoter"]}) == {Role.ORGANIZER}
    assert claim.read({"roles": ["staff", "customer", "admin"]}) == {Role.ORGANIZER, Role.GATE}
    assert claim.read({"roles": [None, 7, {"it": 1}, ["it"], "it"]}) == {Role.ADMIN}
