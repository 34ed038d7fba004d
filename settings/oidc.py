"""Settings of the OpenID Connect issuer (`ONSALE_OIDC_*`)."""

from dataclasses import dataclass
from pathlib import Path

from settings.reader import SettingsReader


@dataclass(frozen=True, slots=True)
class OidcSettings:
    issuer: str | None = None
    """If None in development, this process serves its own issuer at /realms/onsale."""
    internal_url: str | None = None
    """The address at which this server reaches the issuer, if it is not the public one."""
    ca_file: Path | None = None
    """Certificates (PEM) with which the issuer's own is checked, besides those of the system."""
    audience: str = "onsale-api"
    client_id: str = "onsale-web"
    client_secret: str | None = None
    """The secret of `client_id` if it is a confidential client."""

    @classmethod
    def read(cls, reader: SettingsReader) -> "OidcSettings":
        default = cls()
        return cls(
            issuer=reader.optional("OIDC_ISSUER"),
            internal_url=reader.optional("OIDC_INTERNAL_URL"),
            ca_file=Path(file) if (file := reader.optional("OIDC_CA_FILE")) else None,
            audience=reader.text("OIDC_AUDIENCE", default.audience),
            client_id=reader.text("OIDC_CLIENT_ID", default.client_id),
            client_secret=reader.optional("OIDC_CLIENT_SECRET"),
        )
