"""Settings for the OpenID Connect issuer (`ONSALE_OIDC_*`)."""

import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from settings.reader import SettingsReader

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signature algorithms that may be accepted: asymmetric only, so that a public key can never serve
as an HMAC secret.
"""
ROLES = ("customer", "organizer", "gate", "admin")
"""Onsale's roles, as in auth/viewer.py."""

_ADDRESS = re.compile(
    r"https?://(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?(?:/[!$&'()*+,;=:@%\w.~-]*)*",
    re.ASCII | re.IGNORECASE,
)
_DISCOVERY = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class OidcSettings:
    issuer: str | None = None
    """If None in development, this process serves its own issuer at /realms/onsale."""
    internal_url: str | None = None
    """The address at which this server reaches the issuer, if it is not the public one."""
    ca_file: Path | None = None
    """Certificates (PEM) to trust for connections to the issuer, in addition to the system's."""
    audience: tuple[str, ...] = ("onsale-api",)
    """The audiences of this API. A token must name at least one of them in `aud`."""
    authorized_parties: tuple[str, ...] = ()
    """The clients whose tokens are accepted (`azp`). If empty, all clients are accepted."""
    algorithms: tuple[str, ...] = ALGORITHMS
    """The accepted signature algorithms, for access tokens and for the ID tokens of a login."""
    roles_claim: str = "realm_access.roles"
    """The path of the claim that lists the roles."""
    role_names: tuple[tuple[str, str], ...] = tuple(zip(ROLES, ROLES, strict=True))
    """Pairs of an Onsale role and its name at the issuer, written as `organizer=promoter`."""
    leeway_s: int = 5
    """How long a token is accepted after its `exp`, and before its `iat` and `nbf`.

    Clocks that are synchronized with NTP differ by less.
    """
    key_trust_s: int = 600
    """How long a signing key is accepted after the issuer has withdrawn it."""
    cooldown_s: int = 10
    """The time between two key fetches for tokens with unknown keys; the first three do not wait.

    Keycloak's adapters wait just as long.
    """
    recheck_s: int = 60
    """The interval at which the issuer is asked about the people on privileged connections."""
    client_id: str = "onsale-web"
    client_secret: str | None = field(default=None, repr=False)
    """The client secret, if `client_id` is a confidential client."""

    @classmethod
    def read(cls, reader: SettingsReader) -> "OidcSettings":
        default = cls()
        issuer, internal_url = _address(reader, "OIDC_ISSUER"), _address(reader, "OIDC_INTERNAL_URL")
        _check_internal_url(reader, issuer, internal_url)
        return cls(
            issuer=issuer,
            internal_url=internal_url,
            ca_file=_certificates(reader, "OIDC_CA_FILE"),
            audience=reader.words("OIDC_AUDIENCE", default.audience),
            authorized_parties=reader.words("OIDC_AUTHORIZED_PARTIES", ()),
            algorithms=reader.words("OIDC_ALGORITHMS", default.algorithms, allowed=ALGORITHMS),
            roles_claim=_roles_claim(reader, "OIDC_ROLES_CLAIM", default.roles_claim),
            role_names=_role_names(reader, "OIDC_ROLE_NAMES"),
            leeway_s=reader.number("OIDC_LEEWAY_S", default.leeway_s, lowest=0, highest=120),
            key_trust_s=reader.number("OIDC_KEY_TRUST_S", default.key_trust_s, lowest=10, highest=86_400),
            cooldown_s=reader.number("OIDC_COOLDOWN_S", default.cooldown_s, highest=600),
            recheck_s=reader.number("OIDC_RECHECK_S", default.recheck_s, lowest=10, highest=3_600),
            client_id=reader.text("OIDC_CLIENT_ID", default.client_id),
            client_secret=reader.secret("OIDC_CLIENT_SECRET"),
        )


def _address(reader: SettingsReader, name: str) -> str | None:
    """Return the address of a realm, without the slash that people copy from an address bar."""
    value = reader.optional(name)
    if value is None:
        return None
    address = value.strip().rstrip("/")
    if not _ADDRESS.fullmatch(address) or address.endswith(_DISCOVERY):
        wanted = address.removesuffix(_DISCOVERY)
        if "://" not in wanted and _ADDRESS.fullmatch(f"https://{wanted}"):
            wanted = f"https://{wanted}"
        step = f"write {wanted}" if _ADDRESS.fullmatch(wanted) else "write it as https://host/realms/<realm>"
        reader.report(f"ONSALE_{name} is {value[:200]!r}; {step}")
    return address


def _check_internal_url(reader: SettingsReader, issuer: str | None, internal_url: str | None) -> None:
    if internal_url is None:
        return
    if issuer is None:
        reader.report("ONSALE_OIDC_INTERNAL_URL is set without ONSALE_OIDC_ISSUER; set both, or neither")
    elif not urlsplit(internal_url).path and (path := urlsplit(issuer).path):
        reader.report(f"ONSALE_OIDC_INTERNAL_URL is {internal_url!r}, without a realm; write {internal_url}{path}")


def _certificates(reader: SettingsReader, name: str) -> Path | None:
    value = reader.optional(name)
    if value is None:
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(value)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reader.report(
            f"ONSALE_{name} is {value[:200]!r}, which cannot be read as certificates ({reason}); "
            "set it to a PEM file that this process can read"
        )
    return Path(value)


def _roles_claim(reader: SettingsReader, name: str, default: str) -> str:
    value = reader.text(name, default)
    if not all(value.split(".")):
        reader.report(
            f"ONSALE_{name} is {value[:64]!r}; write names separated by dots, such as realm_access.roles or "
            "resource_access.<client>.roles"
        )
    return value


def _role_names(reader: SettingsReader, name: str) -> tuple[tuple[str, str], ...]:
    """Return the pairs in the order of ROLES. A role that is not mentioned keeps its own name."""
    given = list[tuple[str, str]]()
    for word in reader.words(name, ()):
        role, separator, name_at_issuer = word.partition("=")
        if role not in ROLES or not separator or not name_at_issuer:
            reader.report(
                f"ONSALE_{name} contains {word[:64]!r}; write <role>=<name at the issuer>, separated by spaces, "
                f"where the role is {', '.join(ROLES)}"
            )
        given.append((role, name_at_issuer))
    mentioned = {role for role, _ in given}
    return tuple(
        pair for role in ROLES for pair in ([p for p in given if p[0] == role] if role in mentioned else [(role, role)])
    )
