"""Issuer settings are corrected if their meaning is clear; otherwise, errors say what to write."""

from pathlib import Path

import pytest

from auth.viewer import Role
from settings import OidcSettings, Settings, SettingsError
from settings.oidc import ROLES

PRODUCTION = {
    "ONSALE_ENV": "production",
    "ONSALE_REDIS_URL": "redis://127.0.0.1",
    "ONSALE_MONGO_URL": "mongodb://127.0.0.1",
    "ONSALE_PUBLIC_URL": "https://tickets.example.org",
    "ONSALE_OIDC_ISSUER": "https://id.example.org/realms/onsale",
    "ONSALE_PASS_KEY_FILE": "pass-key.pem",
    "ONSALE_SESSION_KEYS": "kW9sQpT2xRz7LmB4vYc8NfJ1hDg6EaU3kW9sQpT2xRw=",
    "ONSALE_PAYMENT_PROVIDER": "stripe",
    "ONSALE_PAYMENT_SECRET_KEY": "sk_live_kW9sQpT2xRz7LmB4",
    "ONSALE_PAYMENT_PUBLISHABLE_KEY": "pk_live_kW9sQpT2xRz7LmB4",
    "ONSALE_PAYMENT_WEBHOOK_SECRETS": "whsec_kW9sQpT2xRz7LmB4vYc8NfJ1",
    "ONSALE_TICKET_KEY_FILES": "/run/secrets/ticket-key",
    "ONSALE_MAIL_HOST": "smtp.example.org",
    "ONSALE_MAIL_SENDER": "Onsale <tickets@example.org>",
}
ISSUER = "https://id.example.org/realms/onsale"


def oidc(**values: str) -> OidcSettings:
    return Settings.from_env({f"ONSALE_OIDC_{name}": value for name, value in values.items()}).oidc


def problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        Settings.from_env(environ)
    return str(refused.value).split("\n")


def problem(**values: str) -> str:
    (found,) = problems({f"ONSALE_OIDC_{name}": value for name, value in values.items()})
    return found


@pytest.mark.parametrize("written", [ISSUER, f"{ISSUER}/", f"{ISSUER}//", f" {ISSUER}/\n"])
def test_trailing_slash_of_the_issuer_is_removed(written: str) -> None:
    assert oidc(ISSUER=written).issuer == ISSUER


@pytest.mark.parametrize(
    ("written", "step"),
    [
        ("id.example.org/realms/onsale", f"write {ISSUER}"),
        (f"{ISSUER}/.well-known/openid-configuration", f"write {ISSUER}"),
        ("id.example.org:8443", "write https://id.example.org:8443"),
        ("ldap://id.example.org", "write it as https://host/realms/<realm>"),
        ("https://admin:pw@id.example.org/realms/onsale", "write it as https://host/realms/<realm>"),
        (f"{ISSUER}?x=1", "write it as https://host/realms/<realm>"),
        (f"{ISSUER}#top", "write it as https://host/realms/<realm>"),
        ("https://", "write it as https://host/realms/<realm>"),
        ("https://bücher.example/realms/onsale", "write it as https://host/realms/<realm>"),
    ],
)
def test_refusal_of_a_malformed_issuer_says_what_to_write(written: str, step: str) -> None:
    assert problem(ISSUER=written) == f"ONSALE_OIDC_ISSUER is {written!r}; {step}"


def test_internal_address_has_the_same_form_as_the_issuer() -> None:
    assert oidc(ISSUER=ISSUER, INTERNAL_URL="http://kc:8080/realms/onsale/").internal_url == (
        "http://kc:8080/realms/onsale"
    )
    assert problem(ISSUER=ISSUER, INTERNAL_URL="kc:8080/realms/onsale").endswith("write https://kc:8080/realms/onsale")
    assert problem(ISSUER=ISSUER, INTERNAL_URL="http://kc:8080/") == (
        "ONSALE_OIDC_INTERNAL_URL is 'http://kc:8080', without a realm; write http://kc:8080/realms/onsale"
    )
    assert problem(INTERNAL_URL="http://kc:8080/realms/onsale") == (
        "ONSALE_OIDC_INTERNAL_URL is set without ONSALE_OIDC_ISSUER; set both, or neither"
    )


def test_refusal_of_an_unreadable_ca_file_names_its_path(tmp_path: Path) -> None:
    missing, empty = tmp_path / "missing.pem", tmp_path / "empty.pem"
    empty.write_text("")
    step = "set it to a PEM file that this process can read"
    assert problem(CA_FILE=str(missing)) == (
        f"ONSALE_OIDC_CA_FILE is {str(missing)!r}, which cannot be read as certificates "
        f"(No such file or directory); {step}"
    )
    assert f"{str(empty)!r}, which cannot be read as certificates" in problem(CA_FILE=str(empty))


def test_list_items_are_separated_by_spaces() -> None:
    settings = oidc(AUDIENCE="a b", AUTHORIZED_PARTIES=" web  app ", ALGORITHMS="ES256 EdDSA")
    assert (settings.audience, settings.authorized_parties) == (("a", "b"), ("web", "app"))
    assert settings.algorithms == ("ES256", "EdDSA")


@pytest.mark.parametrize("name", ["HS256", "none", "ES256K", "rs256"])
def test_unsafe_algorithms_cannot_be_set(name: str) -> None:
    assert problem(ALGORITHMS=f"RS256 {name}").startswith(
        f"ONSALE_OIDC_ALGORITHMS contains {name!r}; write one or more"
    )


def test_settings_have_the_same_roles_as_viewers() -> None:
    assert set(ROLES) == set(Role)


def test_role_that_is_not_mentioned_keeps_its_name() -> None:
    assert oidc(ROLE_NAMES="organizer=promoter gate=door organizer=agency").role_names == (
        ("customer", "customer"),
        ("organizer", "promoter"),
        ("organizer", "agency"),
        ("gate", "door"),
        ("admin", "admin"),
    )


@pytest.mark.parametrize("word", ["promoter", "promoter=organizer", "organizer=", "=organizer"])
def test_malformed_role_name_is_refused(word: str) -> None:
    assert problem(ROLE_NAMES=f"gate=door {word}").startswith(
        f"ONSALE_OIDC_ROLE_NAMES contains {word!r}; write <role>="
    )


@pytest.mark.parametrize("path", [".roles", "roles.", "a..b"])
def test_malformed_roles_claim_is_refused(path: str) -> None:
    assert problem(ROLES_CLAIM=path).startswith(f"ONSALE_OIDC_ROLES_CLAIM is {path!r}; write names separated by dots")


def test_leeway_may_be_zero() -> None:
    assert oidc(LEEWAY_S="0").leeway_s == 0
    assert problem(LEEWAY_S="121") == "ONSALE_OIDC_LEEWAY_S is '121'; it must be a whole number from 0 to 120"


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("hunter2", "has fewer than 24 characters"),
        ("**********", "has fewer than 24 characters"),
        ("onsale-client-secret-please-change", "consists mainly of words that appear in examples"),
        ("a" * 40, "has fewer than 8 different characters"),
    ],
)
def test_weak_secret_is_refused_only_in_production(secret: str, why: str) -> None:
    assert oidc(CLIENT_SECRET=secret).client_secret == secret
    assert secret not in repr(oidc(CLIENT_SECRET=secret))
    (found,) = problems({**PRODUCTION, "ONSALE_OIDC_CLIENT_SECRET": secret})
    assert found.startswith(f"ONSALE_OIDC_CLIENT_SECRET {why}; set a random secret")
    assert secret not in found


def test_secret_generated_by_keycloak_is_accepted_in_production() -> None:
    secret = "kW9sQpT2xRz7LmB4vYc8NfJ1hDg6EaU3"
    assert Settings.from_env({**PRODUCTION, "ONSALE_OIDC_CLIENT_SECRET": secret}).oidc.client_secret == secret


def test_all_problems_are_listed_at_once() -> None:
    found = problems(
        {
            "ONSALE_ENV": "production",
            "ONSALE_OIDC_INTERNAL_URL": "kc",
            "ONSALE_OIDC_CA_FILE": "/missing",
            "ONSALE_OIDC_ALGORITHMS": "HS256",
            "ONSALE_OIDC_CLIENT_SECRET": "x",
            "ONSALE_OIDC_ROLE_NAMES": "x",
        }
    )
    assert [line.split()[0] for line in found] == [
        "ONSALE_OIDC_INTERNAL_URL",
        "ONSALE_OIDC_INTERNAL_URL",
        "ONSALE_OIDC_CA_FILE",
        "ONSALE_OIDC_ALGORITHMS",
        "ONSALE_OIDC_ROLE_NAMES",
        "ONSALE_OIDC_CLIENT_SECRET",
        "ONSALE_PAYMENT_PROVIDER",
        "ONSALE_PAYMENT_SECRET_KEY",
        "ONSALE_PAYMENT_PUBLISHABLE_KEY",
        "ONSALE_PAYMENT_WEBHOOK_SECRETS",
        "ONSALE_MAIL_HOST",
        "ONSALE_MAIL_SENDER",
        "ONSALE_TICKET_KEY_FILES",
        "ONSALE_REDIS_URL",
        "ONSALE_MONGO_URL",
        "ONSALE_PUBLIC_URL",
        "ONSALE_OIDC_ISSUER",
        "ONSALE_PASS_KEY_FILE",
        "ONSALE_SESSION_KEYS",
    ]
