"""Settings of the OpenID Connect issuer (`ONSALE_OIDC_*`)."""

from dataclasses import dataclass

from settings.reader import SettingsReader


@dataclass(frozen=True, slots=True)
class OidcSettings:
    issuer: str | None = None
    """If None in development, this process serves its own issuer at /realms/onsale."""
    audience: str = "onsale-api"
    client_id: str = "onsale-web"

    @classmethod
    def read(cls, reader: SettingsReader) -> "OidcSettings":
        default = cls()
        return cls(
            issuer=reader.optional("OIDC_ISSUER"),
            audience=reader.text("OIDC_AUDIENCE", default.audience),
            client_id=reader.text("OIDC_CLIENT_ID", default.client_id),
        )
